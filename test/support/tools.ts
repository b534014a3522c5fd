/**
 * Programs of others that tests run: aria2c, python3 with libtorrent. Ended by the pid that was started.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export const LIBTORRENT_PEER = fileURLToPath(new URL("./libtorrent-peer.py", import.meta.url));
/** Debian's python3, which has python3-libtorrent; another one may come first on the PATH. */
export const PYTHON = "/usr/bin/python3";
const FIRST_LINE_MS = 20_000;

export function hasAria2(): boolean {
  return spawnSync("aria2c", ["--version"]).status === 0;
}

export function hasLibtorrent(): boolean {
  return spawnSync(PYTHON, ["-c", "import libtorrent"]).status === 0;
}

export interface Tool extends AsyncDisposable {
  /** Exit code, or null where a signal ended it. */
  readonly exited: Promise<number | null>;
  readonly output: () => string;
  /** The first line that it printed. */
  firstLine(): Promise<string>;
}

/** Runs a program; it is killed when the block that made it ends. */
export function runTool(command: string, args: readonly string[]): Tool {
  const child: ChildProcess = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  child.stderr?.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  const exited = once(child, "close").then(([code]) => code as number | null);
  return {
    exited,
    output: () => text,
    firstLine: async () => {
      const signal = AbortSignal.timeout(FIRST_LINE_MS);
      while (!text.includes("\n") && child.stdout !== null) await once(child.stdout, "data", { signal });
      return text.slice(0, text.indexOf("\n"));
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** aria2c without DHT, LSD and console noise. */
export function aria2(args: readonly string[]): Tool {
  const quiet = [
    "--enable-dht=false",
    "--bt-enable-lpd=false",
    "--summary-interval=0",
    "--file-allocation=none",
    "--listen-port=40000-49000",
  ];
  return runTool("aria2c", [...quiet, ...args]);
}

const LIBTORRENT_MAKE = fileURLToPath(new URL("./libtorrent-make.py", import.meta.url));

/** Has libtorrent make a .torrent of a file or folder. */
export async function makeTorrent(wish: {
  source: string;
  torrent: string;
  version: "v1" | "v2" | "hybrid";
  pieceBytes: number;
}): Promise<void> {
  await using tool = runTool(PYTHON, [LIBTORRENT_MAKE, wish.source, wish.torrent, wish.version, String(wish.pieceBytes)]);
  if ((await tool.exited) !== 0) throw new Error(tool.output());
}

export function libtorrent(args: readonly string[]): Tool {
  return runTool(PYTHON, [LIBTORRENT_PEER, ...args]);
}

/** A webtorrent client of its own process, TCP only. */
export function webtorrent(args: readonly string[]): Tool {
  return runTool(process.execPath, [fileURLToPath(new URL("./webtorrent-client.ts", import.meta.url)), ...args]);
}
