/**
 * Announces a second over UDP and HTTP, ours beside opentracker, under the same load generator on the same machine; answer times at half of
 * that load; memory with a million peers.
 *
 * Debian's opentracker closes an HTTP connection after each answer, so it gets a new one for each announce; ours is measured that way too.
 */
import { fileURLToPath } from "node:url";
import { startLineProcess } from "./line-process.ts";
import { usageOf } from "./process-meter.ts";
import { median, type Result, type Row, ratioOf, type Target } from "./report.ts";
import { SWARM_PEERS, SWARMS, WANTED } from "./tracker-load/announces.ts";
import { type Contender, missingOpentracker, startOpentracker, startSupernode } from "./tracker-load/contenders.ts";

type Kind = "udp" | "http" | "http-close";

interface Measured {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly fullShare: number;
  /** All of its life, warming up included. */
  readonly answers: number;
}

const SECONDS = 4;
const ROUND = 100_000;
/** Of the answers, those with all the peers that were wanted; the first ones of a new swarm cannot have them. */
const LEAST_FULL = 0.9;
const LEAST_UDP = 0.5;
const LEAST_HTTP = 1;
const MOST_P99_MS = 20;
const MOST_BYTES_PER_PEER = 400;

interface Contest {
  readonly name: string;
  readonly start: () => Promise<Contender>;
  readonly kind: Kind;
}

/** Each of ours right after its anchor, so that both meet the same minutes of this machine. */
const CONTESTS: readonly Contest[] = [
  { name: "opentracker, UDP", start: startOpentracker, kind: "udp" },
  { name: "supernode, UDP", start: startSupernode, kind: "udp" },
  { name: "opentracker, HTTP", start: startOpentracker, kind: "http-close" },
  { name: "supernode, HTTP keep-alive", start: startSupernode, kind: "http" },
  { name: "supernode, HTTP", start: startSupernode, kind: "http-close" },
];

export async function benchTracker(runs: number): Promise<Result> {
  const missing = missingOpentracker();
  const contests = missing === undefined ? CONTESTS : CONTESTS.filter(({ start }) => start === startSupernode);
  const results = new Map<string, { perSecond: number[]; p99Ms: number[]; cpuMicros: number[]; peakBytes: number }>();
  // in turn, so that what the machine does besides meets all alike
  for (let run = 0; run < runs; run++)
    for (const contest of contests) {
      const result = results.get(contest.name) ?? { perSecond: [], p99Ms: [], cpuMicros: [], peakBytes: 0 };
      const { full, half, cpuMicros, peakBytes } = await measure(contest);
      result.cpuMicros.push(cpuMicros);
      result.perSecond.push(full.perSecond);
      result.p99Ms.push(half.p99Ms);
      results.set(contest.name, { ...result, peakBytes: Math.max(peakBytes, result.peakBytes) });
    }
  const memory = await measureMemory();
  const rows: Row[] = [...results].map(([name, { perSecond, p99Ms, cpuMicros, peakBytes }]) => ({
    name,
    seconds: perSecond.map((rate) => ROUND / rate),
    peakBytes,
    note: `${Math.round(median(perSecond))}/s, ${median(cpuMicros).toFixed(1)} µs of CPU each, p99 at half of that ${median(p99Ms).toFixed(1)} ms`,
  }));
  rows.push({
    name: "supernode's swarms, 1,000,000 peers",
    seconds: [memory.seconds],
    note: `${memory.bytesPerPeer.toFixed(0)} bytes a peer`,
  });
  const rates = (name: string): number[] | undefined => results.get(name)?.perSecond;
  const p99 = (name: string): number => median(results.get(name)?.p99Ms ?? []);
  const title = `tracker: ${ROUND} announces, ${SWARMS} swarms of ${SWARM_PEERS}, ${WANTED} peers an answer`;
  const targets = [...ratios(rates), ...bounds(p99, memory.bytesPerPeer)];
  return { bench: "tracker", title, rows, targets, missing: missing === undefined ? [] : [missing] };
}

function ratios(rates: (name: string) => readonly number[] | undefined): Target[] {
  const [udp, http] = [rates("opentracker, UDP"), rates("opentracker, HTTP")];
  if (udp === undefined || http === undefined) return [];
  const [ourUdp, ourHttp] = [rates("supernode, UDP") ?? [], rates("supernode, HTTP keep-alive") ?? []];
  return [
    { what: "UDP announces, of opentracker's", found: ratioOf(ourUdp, udp), limit: LEAST_UDP, unit: "×", want: "least" },
    { what: "HTTP keep-alive announces, of opentracker's", found: ratioOf(ourHttp, http), limit: LEAST_HTTP, unit: "×", want: "least" },
  ];
}

function bounds(p99: (name: string) => number, bytesPerPeer: number): Target[] {
  return [
    { what: "UDP, 99 % of the answers at half load within", found: p99("supernode, UDP"), limit: MOST_P99_MS, unit: "ms", want: "most" },
    { what: "HTTP keep-alive, the same", found: p99("supernode, HTTP keep-alive"), limit: MOST_P99_MS, unit: "ms", want: "most" },
    { what: "memory of a peer", found: bytesPerPeer, limit: MOST_BYTES_PER_PEER, unit: "bytes", want: "most" },
  ];
}

async function measure({ name, start, kind }: Contest): Promise<{ full: Measured; half: Measured; cpuMicros: number; peakBytes: number }> {
  await using contender = await start();
  const before = usageOf(contender.pid).cpuSeconds;
  const full = await load(kind, contender.port);
  const cpuMicros = ((usageOf(contender.pid).cpuSeconds - before) / full.answers) * 1e6;
  if (full.fullShare < LEAST_FULL) throw new Error(`${name}: only ${full.fullShare} of the answers had ${WANTED} peers`);
  const half = await load(kind, contender.port, Math.round(full.perSecond / 2));
  return { full, half, cpuMicros, peakBytes: usageOf(contender.pid).peakBytes };
}

async function load(kind: Kind, port: number, rate = 0): Promise<Measured> {
  const script = fileURLToPath(new URL("./tracker-load/load.ts", import.meta.url));
  await using process = startLineProcess("node", [script, kind, String(port), String(SECONDS), String(rate)]);
  return (await process.line()) as unknown as Measured;
}

async function measureMemory(): Promise<{ bytesPerPeer: number; seconds: number }> {
  const script = fileURLToPath(new URL("./tracker-load/memory.ts", import.meta.url));
  await using process = startLineProcess("node", ["--expose-gc", script]);
  return (await process.line()) as unknown as { bytesPerPeer: number; seconds: number };
}
