/**
 * A load generator for trackers, as a process of its own: `node load.ts udp|http|http-close PORT SECONDS [RATE]`.
 *
 * Without a rate it keeps a fixed number of announces on the way, so it finds out what the tracker can do; with one it announces at that
 * rate whatever comes back, as hosts do. Prints one line of JSON.
 */
import { once } from "node:events";
import { SWARM_PEERS, SWARMS, WANTED } from "./announces.ts";
import { startHttp } from "./http-load.ts";
import { Latencies } from "./latencies.ts";
import { startUdp } from "./udp-load.ts";

export interface LoadOptions {
  readonly port: number;
  /** Announces a second; 0: as many as are answered. */
  readonly rate: number;
  /** An answer came, after so long, with so many bytes of peers. */
  readonly onAnswer: (ms: number, peerBytes: number) => void;
}

/** A running generator. */
export interface Load {
  close(): void;
}

const WARM_UP_MS = 1500;

const [kind, port, seconds, rate = "0"] = process.argv.slice(2);
const measured = new Latencies();
let answers = 0;
let full = 0;
let measuring = false;
const options: LoadOptions = {
  port: Number(port),
  rate: Number(rate),
  onAnswer: (ms, peerBytes) => {
    answers++;
    if (!measuring) return;
    measured.add(ms);
    if (peerBytes === WANTED * 6) full++;
  },
};
const load = kind === "udp" ? await startUdp(options) : startHttp({ ...options, keepAlive: kind === "http" });
await pause(WARM_UP_MS);
measuring = true;
const startMs = performance.now();
await pause(Number(seconds) * 1000);
const passedS = (performance.now() - startMs) / 1000;
measuring = false;
load.close();
const cpu = process.cpuUsage();
process.stdout.write(
  `${JSON.stringify({
    perSecond: measured.total / passedS,
    p50Ms: measured.quantile(0.5),
    p99Ms: measured.quantile(0.99),
    fullShare: measured.total === 0 ? 0 : full / measured.total,
    swarms: `${SWARMS} × ${SWARM_PEERS}`,
    answers,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
  })}\n`,
);
process.exit(0);

async function pause(ms: number): Promise<void> {
  await once(AbortSignal.timeout(ms), "abort");
}
