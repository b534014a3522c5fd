/**
 * Hosts with links of the same limited rate, each in a network namespace: how long until the last host has the file, against the
 * ideal (length ÷ rate: nobody can be faster). The origin's link is not limited; the seeder's is.
 *
 * Rate and length are a fifth of 200 Mbit/s and 200 MB, because 32 hosts at 200 Mbit/s are 800 MB/s: more than two cores move.
 */
import { join } from "node:path";
import { sha256Of } from "../test/support/cluster.ts";
import { temporaryFolder } from "../test/support/folders.ts";
import { lastJson, type RunningCommand, runCommand, startCommand } from "../test/support/processes.ts";
import { type Host, Network, namespacesMissing } from "./namespaces.ts";
import { startOriginProcess } from "./origin-process.ts";
import { median, type Result, type Row, type Target } from "./report.ts";

const BITS_PER_SECOND = 40_000_000;
const LENGTH_BYTES = 40_000_000;
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
  const secondsOf = (hosts: number): number => median((results.get(hosts) ?? []).map(({ seconds }) => seconds));
  const seederCopies = Math.max(...[...results.values()].flat().map((run) => run.seederCopies));
  const ideal: Row = { name: "ideal", seconds: [IDEAL_SECONDS] };
  const rows = HOSTS.map((hosts): Row => {
    const found = results.get(hosts) ?? [];
    const copies = Math.max(...found.map((run) => run.seederCopies));
    return { name: `${hosts} hosts`, seconds: found.map(({ seconds }) => seconds), note: `seeder ${copies.toFixed(2)} copies` };
  });
  const targets: Target[] = [
    { what: "last of 16 hosts against the ideal", found: secondsOf(16) / IDEAL_SECONDS, limit: MOST_AT_16, unit: "×", want: "most" },
    { what: "32 hosts against 4", found: secondsOf(32) / secondsOf(4), limit: MOST_32_TO_4, unit: "×", want: "most" },
    { what: "copies from the seeder", found: seederCopies, limit: MOST_SEEDER_COPIES, unit: "copies", want: "most" },
  ];
  return { bench, title, rows: [ideal, ...rows], targets };
}

async function runOnce(count: number): Promise<Run> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryFolder());
  const network = stack.use(await Network.create());
  const originHost = await network.addHost(0);
  const origin = await startOriginProcess({ length: String(LENGTH_BYTES), rate: "0", at: originHost });
  stack.use(origin);
  const center = await network.addHost(BITS_PER_SECOND);
  const supernode = stack.use(await startSupernode(center, join(path, "supernode")));
  const hosts: Host[] = [];
  for (let index = 0; index < count; index++) {
    const host = await network.addHost(BITS_PER_SECOND);
    stack.use(await startDaemon(host, join(path, host.namespace), supernode.ready.http));
    hosts.push(host);
  }
  const startedMs = performance.now();
  const outcomes = await Promise.all(
    hosts.map(({ namespace }) => {
      const home = join(path, namespace);
      const args = [
        origin.url,
        "-o",
        join(path, `${namespace}.out`),
        "--home",
        home,
        "--supernode",
        supernode.ready.http,
        "--json",
        "--notbs",
      ];
      return runCommand({ command: "dfget", args, timeoutMs: RUN_LIMIT_MS });
    }),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  let seederBytes = 0;
  for (const [index, outcome] of outcomes.entries()) {
    const last = lastJson(outcome);
    if (last.status !== "ok") throw new Error(JSON.stringify(last));
    seederBytes += last.from.seeder;
    if ((await sha256Of(join(path, `${hosts[index].namespace}.out`))) !== origin.sha256) throw new Error("wrong bytes arrived");
  }
  return { seconds, seederCopies: seederBytes / LENGTH_BYTES };
}

function startSupernode({ namespace, address }: Host, data: string): Promise<RunningCommand> {
  const args = ["--listen", `${address}:0`, "--seeder-listen", `${address}:0`, "--data", data, "--log-level", "warn"];
  return startCommand({ command: "supernode", args, namespace });
}

function startDaemon({ namespace, address }: Host, home: string, supernode: string): Promise<RunningCommand> {
  const args = ["--home", home, "--supernode", supernode, "--peer-listen", `${address}:0`, "--log-level", "warn"];
  return startCommand({ command: "dfdaemon", args, namespace });
}
