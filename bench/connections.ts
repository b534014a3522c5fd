/**
 * One task, 200 connections: a seed process of ours, and 200 peers of one process that each take every piece they are given,
 * through our own wire code, and throw it away.
 */
import { once } from "node:events";
import { temporaryFolder } from "../test/support/folders.ts";
import { skimmer } from "./contenders/skimmer.ts";
import { WirePeer } from "./contenders/wire-peer.ts";
import { makeContent } from "./content.ts";
import { ProcessMeter } from "./process-meter.ts";
import type { Result, Row } from "./report.ts";

const LENGTH_BYTES = 16 * 1024 * 1024;
const CONNECTIONS = 200;
const MOST_PEAK_MB = 300;

export async function benchConnections(runs: number): Promise<Result> {
  await using folder = await temporaryFolder();
  const content = await makeContent(folder.path, LENGTH_BYTES);
  const seconds: number[] = [];
  const cpuSecondsPerGb: number[] = [];
  let peakBytes = 0;
  for (let run = 0; run < runs; run++) {
    await using seed = await skimmer.seed(content);
    using meter = new ProcessMeter(seed.pid);
    const startedMs = performance.now();
    const peers = await Promise.all(Array.from({ length: CONNECTIONS }, () => WirePeer.connect(seed.address, content)));
    await Promise.all(peers.map(async (peer) => (peer.done ? undefined : once(peer, "done", { signal: AbortSignal.timeout(120_000) }))));
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
