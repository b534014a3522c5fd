/**
 * Contenders that are command-line programs: they hear of the seed from a tracker, and cannot wait for a start signal, so that
 * their time includes the start of the process (about 0.05 s) and one announce.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { freePort, until } from "../../test/support/processes.ts";
import { decodeDict, dictDict, encode } from "../../torrents/bencode.ts";
import { torrentFile } from "../../torrents/torrent-file.ts";
import type { Contender, Content } from "./contender.ts";
import { startTinyTracker } from "./tiny-tracker.ts";

interface Program {
  readonly name: string;
  readonly slow?: boolean;
  /** Where peers meet; 127.0.0.1 unless said otherwise. */
  readonly host?: string;
  missing(): string | undefined;
  seedCommand(at: { torrent: string; folder: string; port: number }): readonly string[];
  /** `done` is a file that appears when the download is complete; undefined where the program ends then. */
  leechCommand(at: { torrent: string; folder: string; port: number; done: string }): readonly string[];
  readonly endsWhenDone: boolean;
}

const MOST_MS = 180_000;

export function trackedContender(program: Program): Contender {
  return {
    name: program.name,
    slow: program.slow,
    missing: program.missing,
    seed: async (content) => {
      const port = await freePort();
      const tracker = await startTinyTracker(undefined);
      const torrent = await retracked(content, { tracker: tracker.url, path: join(content.folder, `${program.name}-seed.torrent`) });
      const child = start(program.seedCommand({ torrent, folder: content.folder, port }));
      await until(() => accepts(port), MOST_MS);
      return {
        pid: child.pid as number,
        address: `${program.host ?? "127.0.0.1"}:${port}`,
        [Symbol.asyncDispose]: async () => {
          await kill(child);
          await tracker[Symbol.asyncDispose]();
        },
      };
    },
    leech: async (content, { folder, peer }) => {
      const tracker = await startTinyTracker(peer);
      const torrent = await retracked(content, { tracker: tracker.url, path: join(content.folder, `${program.name}-leech.torrent`) });
      const done = join(folder, "done.sh");
      const command = program.leechCommand({ torrent, folder, port: await freePort(), done });
      let child: ChildProcess | undefined;
      return {
        pid: 0,
        path: join(folder, content.name),
        run: async (onStart) => {
          const startedMs = performance.now();
          child = start(command);
          onStart(child.pid as number);
          if (program.endsWhenDone) await once(child, "exit");
          else await until(async () => (await readFile(`${done}.said`).catch(() => undefined)) !== undefined, MOST_MS);
          return { seconds: (performance.now() - startedMs) / 1000 };
        },
        [Symbol.asyncDispose]: async () => {
          if (child !== undefined) await kill(child);
          await tracker[Symbol.asyncDispose]();
        },
      };
    },
  };
}

/** The same torrent with another tracker, as a file. */
async function retracked(content: Content, to: { tracker: string; path: string }): Promise<string> {
  const info = dictDict(decodeDict(await readFile(content.torrentPath)), "info");
  if (info === undefined) throw new Error(`${content.torrentPath} has no info`);
  await writeFile(to.path, torrentFile({ info: encode(info), trackers: [to.tracker] }));
  return to.path;
}

function start([command, ...args]: readonly string[]): ChildProcess {
  return spawn(command, args, { stdio: "ignore" });
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
