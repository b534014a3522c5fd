/**
 * One task, 200 connections: a seed process of ours, and 200 peers of one process that each take every piece they are given,
 * through our own wire code, compare it with the content, and throw it away.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../test/support/folders.ts";
import { decodeDict, dictDict, encode } from "../torrents/bencode.ts";
import type { Content } from "./contenders/contender.ts";
import { skimmer } from "./contenders/skimmer.ts";
import { type WireContent, WirePeer } from "./contenders/wire-peer.ts";
import { makeContent } from "./content.ts";
import { ProcessMeter } from "./process-meter.ts";
import type { Result, Row } from "./report.ts";

const LENGTH_BYTES = 16 * 1024 * 1024;
const CONNECTIONS = 200;
const MOST_PEAK_MB = 300;
const MOST_MS = 120_000;

export async function benchConnections(runs: number): Promise<Result> {
  await using folder = await temporaryFolder();
  const content = await makeContent(folder.path, LENGTH_BYTES);
  const wireContent = await readWireContent(content);
  const seconds: number[] = [];
  const cpuSecondsPerGb: number[] = [];
  let peakBytes = 0;
  for (let run = 0; run < runs; run++) {
    await using seed = await skimmer.seed(content);
    using meter = new ProcessMeter(seed.pid);
    const startedMs = performance.now();
    const peers = await Promise.all(Array.from({ length: CONNECTIONS }, () => WirePeer.connect(seed.address, wireContent)));
    const signal = AbortSignal.timeout(MOST_MS);
    await Promise.all(peers.map(async (peer) => (peer.done ? undefined : once(peer, "done", { signal }))));
    seconds.push((performance.now() - startedMs) / 1000);
    for (const peer of peers) peer.close();
    cpuSecondsPerGb.push((meter.usage.cpuSeconds / (LENGTH_BYTES * CONNECTIONS)) * 1e9);
    peakBytes = Math.max(peakBytes, meter.usage.peakBytes);
  }
  const row: Row = { name: `${CONNECTIONS} leeches of one seed`, seconds, cpuSecondsPerGb, peakBytes, note: "figures of the seed" };
  return {
    bench: "connections",
    title: `connections: ${LENGTH_BYTES / 1024 / 1024} MiB to each of ${CONNECTIONS} connections of one task, ${runs} runs`,
    rows: [row],
    targets: [{ what: "peak memory of the seed", found: peakBytes / 1e6, limit: MOST_PEAK_MB, unit: "MB", want: "most" }],
  };
}

async function readWireContent({ torrentPath, folder, name }: Content): Promise<WireContent> {
  const info = dictDict(decodeDict(await readFile(torrentPath)), "info");
  if (info === undefined) throw new Error(`${torrentPath} has no info`);
  return { infoV1: encode(info), bytes: await readFile(join(folder, name)) };
}
