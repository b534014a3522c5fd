/**
 * 1 GiB from one seed to one leech over loopback, verified and on disk: our engine and libtorrent, alternating, on the same
 * torrent and data. Time is the leech's own, from the first connection to the last verified piece.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { sha256Of } from "../test/support/cluster.ts";
import { hasLibtorrent } from "../test/support/tools.ts";
import { makeInfoV1 } from "../torrents/final-torrents.ts";
import { geometryOf } from "../torrents/geometry.ts";
import { torrentFile } from "../torrents/torrent-file.ts";
import { printTable, type Row } from "./measure.ts";

const LENGTH_BYTES = 1024 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;
const NAME = "content.bin";
const ENGINE_PEER = fileURLToPath(new URL("./engine-peer.ts", import.meta.url));
const LIBTORRENT_PEER = fileURLToPath(new URL("../test/support/libtorrent-peer.py", import.meta.url));

interface Peer {
  readonly child: ChildProcess;
  line(): Promise<Record<string, number>>;
}

/** Prints the table; libtorrent is named and left out where it is not installed. */
export async function benchOneToOne(runs: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "skimmer-bench-"));
  try {
    const { torrent, sha256 } = await makeContent(folder);
    const ours: number[] = [];
    const theirs: number[] = [];
    let note = "";
    const anchor = hasLibtorrent();
    if (!anchor) console.log("libtorrent is not installed (apt-get install python3-libtorrent): left out");
    for (let run = 0; run < runs; run++) {
      if (anchor) theirs.push((await runPair(folder, { torrent, sha256, libtorrent: true })).seconds);
      const result = await runPair(folder, { torrent, sha256, libtorrent: false });
      ours.push(result.seconds);
      note = `leech: ${((result.cpuSeconds / LENGTH_BYTES) * 1e9).toFixed(2)} CPU s/GB, peak ${(result.peakBytes / 1e6).toFixed(0)} MB`;
    }
    const rows: Row[] = [{ name: "Skimmer to Skimmer", seconds: ours, note }];
    if (anchor) rows.unshift({ name: "libtorrent to libtorrent", seconds: theirs });
    printTable(`one-to-one: 1 GiB, ${runs} alternating runs`, rows);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runPair(
  folder: string,
  on: { torrent: string; sha256: string; libtorrent: boolean },
): Promise<{ seconds: number; cpuSeconds: number; peakBytes: number }> {
  const target = join(folder, "leech");
  const seed = on.libtorrent
    ? start("/usr/bin/python3", [LIBTORRENT_PEER, on.torrent, folder, "seed"])
    : start(process.execPath, [ENGINE_PEER, "seed", on.torrent, join(folder, "seed"), join(folder, NAME)]);
  try {
    const address = `127.0.0.1:${(await seed.line()).port}`;
    const leech = on.libtorrent
      ? start("/usr/bin/python3", [LIBTORRENT_PEER, on.torrent, target, "leech", address])
      : start(process.execPath, [ENGINE_PEER, "leech", on.torrent, target, address]);
    await leech.line();
    const result = await leech.line();
    await once(leech.child, "exit");
    if ((await sha256Of(join(target, on.libtorrent ? NAME : "data"))) !== on.sha256) throw new Error("wrong bytes arrived");
    return { seconds: result.seconds, cpuSeconds: result.cpuSeconds, peakBytes: result.peakBytes };
  } finally {
    seed.child.kill("SIGKILL");
    await once(seed.child, "exit");
    await rm(target, { recursive: true, force: true });
  }
}

function start(command: string, args: readonly string[]): Peer {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, line: async () => JSON.parse((await lines.next()).value as string) };
}

async function makeContent(folder: string): Promise<{ torrent: string; sha256: string }> {
  const sha1s: Buffer[] = [];
  await using file = await open(join(folder, NAME), "w");
  for (let written = 0; written < LENGTH_BYTES; written += PIECE_BYTES) {
    const piece = randomBytes(PIECE_BYTES);
    sha1s.push(createHash("sha1").update(piece).digest());
    await file.write(piece);
  }
  const geometry = geometryOf({ lengthBytes: LENGTH_BYTES, pieceLengthBytes: PIECE_BYTES });
  const info = makeInfoV1({ name: NAME, geometry, sha1s: Buffer.concat(sha1s) });
  const torrent = join(folder, "content.torrent");
  await writeFile(torrent, torrentFile({ info, trackers: [] }));
  return { torrent, sha256: await sha256Of(join(folder, NAME)) };
}
