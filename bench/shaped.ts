/**
 * Hosts with links of the same limited rate, each in a network namespace: how long until the last host has the file, against the
 * ideal (length ÷ rate: nobody can be faster). The origin's link is not limited; the seeder's is.
 *
 * Rate, length and piece length are about a fifth of 200 Mbit/s, 200 MB and 512 KiB, because 32 hosts at 200 Mbit/s are 800 MB/s: more than
 * two cores move. The links are what is measured: so the daemons are warm, and are asked over their sockets, as dfget does it; the start
 * of 32 processes at once on two cores would be a second of the eight. test/sim has the same swarm, unscaled, in virtual time.
 */
import { join } from "node:path";
import { postDownload } from "../peer/dfget/daemon-socket.ts";
import { sha256Of } from "../test/support/cluster.ts";
import { temporaryFolder } from "../test/support/folders.ts";
import { type RunningCommand, startCommand } from "../test/support/processes.ts";
import { type Host, Network, namespacesMissing } from "./namespaces.ts";
import { startOriginProcess } from "./origin-process.ts";
import { median, type Result, type Row, ratioOf, type Target } from "./report.ts";

const BITS_PER_SECOND = 40_000_000;
const LENGTH_BYTES = 40_000_000;
const PIECE_BYTES = 128 * 1024;
const WARM_BYTES = 2_000_000;
const WARM_ROUNDS = 3;
const HOSTS = [1, 4, 16, 32];
const IDEAL_SECONDS = (LENGTH_BYTES * 8) / BITS_PER_SECOND;
const MOST_AT_16 = 1.15;
const MOST_32_TO_4 = 1.1;
const MOST_SEEDER_COPIES = 1.3;
const RUN_LIMIT_MS = 120_000;

interface Run {
  readonly seconds: number;
  readonly seederCopies: number;
}

export async function benchShaped(runs: number): Promise<Result> {
  const bench = "shaped";
  const title = `shaped: ${LENGTH_BYTES / 1e6} MB, every host ${BITS_PER_SECOND / 1e6} Mbit/s each way, ${runs} alternating runs`;
  const missing = namespacesMissing();
  if (missing !== undefined) return { bench, title, rows: [], targets: [], missing: [missing] };
  const results = new Map(HOSTS.map((hosts) => [hosts, [] as Run[]]));
  for (let run = 0; run < runs; run++) {
    for (const hosts of HOSTS) results.get(hosts)?.push(await runOnce(hosts));
  }
  const secondsOf = (hosts: number): number[] => (results.get(hosts) ?? []).map(({ seconds }) => seconds);
  const seederCopies = Math.max(...[...results.values()].flat().map((run) => run.seederCopies));
  const ideal: Row = { name: "ideal", seconds: [IDEAL_SECONDS] };
  const rows = HOSTS.map((hosts): Row => {
    const found = results.get(hosts) ?? [];
    const copies = Math.max(...found.map((run) => run.seederCopies));
    return { name: `${hosts} hosts`, seconds: found.map(({ seconds }) => seconds), note: `seeder ${copies.toFixed(2)} copies` };
  });
  const targets: Target[] = [
    {
      what: "last of 16 hosts against the ideal",
      found: median(secondsOf(16)) / IDEAL_SECONDS,
      limit: MOST_AT_16,
      unit: "×",
      want: "most",
    },
    { what: "32 hosts against 4", found: ratioOf(secondsOf(32), secondsOf(4)), limit: MOST_32_TO_4, unit: "×", want: "most" },
    { what: "copies from the seeder", found: seederCopies, limit: MOST_SEEDER_COPIES, unit: "copies", want: "most" },
  ];
  return { bench, title, rows: [ideal, ...rows], targets };
}

/** A host with its daemon. */
interface Station {
  readonly output: string;
  fetch(url: string): Promise<{ readonly seederBytes: number }>;
}

async function runOnce(count: number): Promise<Run> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryFolder());
  const network = stack.use(await Network.create());
  const originHost = await network.addHost(0);
  const origin = stack.use(await startOriginProcess({ length: String(LENGTH_BYTES), rate: "0", at: originHost }));
  const warmOrigin = stack.use(await startOriginProcess({ length: String(WARM_BYTES), rate: "0", at: originHost }));
  const center = await network.addHost(BITS_PER_SECOND);
  const supernode = stack.use(await startSupernode(center, join(path, "supernode")));
  const stations: Station[] = [];
  for (let index = 0; index < count; index++) {
    const host = await network.addHost(BITS_PER_SECOND);
    const daemon = stack.use(await startDaemon(host, join(path, host.namespace), supernode.ready.http));
    stations.push(makeStation(daemon, join(path, `${host.namespace}.out`)));
  }
  for (let round = 0; round < WARM_ROUNDS; round++) await fetchAll(stations, `${warmOrigin.url}?round=${round}`);
  const startedMs = performance.now();
  const seederBytes = await fetchAll(stations, origin.url);
  const seconds = (performance.now() - startedMs) / 1000;
  for (const { output } of stations) if ((await sha256Of(output)) !== origin.sha256) throw new Error("wrong bytes arrived");
  return { seconds, seederCopies: seederBytes / LENGTH_BYTES };
}

/** All hosts at once; answers the bytes that came from the seeder. */
async function fetchAll(stations: readonly Station[], url: string): Promise<number> {
  const done = await Promise.all(stations.map((station) => station.fetch(url)));
  return done.reduce((sum, { seederBytes }) => sum + seederBytes, 0);
}

function makeStation({ ready }: RunningCommand, output: string): Station {
  return {
    output,
    fetch: async (url) => {
      const body = { url, output, notbs: true, pieceLength: PIECE_BYTES };
      const signal = AbortSignal.timeout(RUN_LIMIT_MS);
      const result = await postDownload({ socket: ready.socket, body, signal, onEvent: () => undefined });
      if (result.kind !== "done") throw new Error(JSON.stringify(result));
      return { seederBytes: result.event.from.seeder };
    },
  };
}

function startSupernode({ namespace, address }: Host, data: string): Promise<RunningCommand> {
  const args = ["--listen", `${address}:0`, "--seeder-listen", `${address}:0`, "--data", data, "--access", "open", "--log-level", "warn"];
  return startCommand({ command: "supernode", args, namespace });
}

function startDaemon({ namespace, address }: Host, home: string, supernode: string): Promise<RunningCommand> {
  const args = ["--home", home, "--supernode", supernode, "--peer-listen", `${address}:0`, "--log-level", "warn"];
  return startCommand({ command: "dfdaemon", args, namespace });
}
