/**
 * The `seeder` command: engine, origin, link to the supernode. `seeder gc` is gc-command.ts.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { openOrigin } from "../origin/open-origin.ts";
import { readOriginOptions } from "../origin/origin-options.ts";
import type { SharedOrigin } from "../origin/types.ts";
import { openEngine } from "../peer/engine/engine.ts";
import type { Engine } from "../peer/engine/types.ts";
import { formatHostPort, type HostPort, reachableHost } from "../system/addresses.ts";
import { acquireLock } from "../system/lock-file.ts";
import { makeLogger } from "../system/logger.ts";
import { parseCommand } from "../system/options.ts";
import { printReady } from "../system/ready-line.ts";
import { reportError } from "../system/report-error.ts";
import { handleSignals, onShutdown } from "../system/shutdown.ts";
import { makePeerId } from "../torrents/peer-id.ts";
import { makeDataFolder, openClusterKey, openSalt } from "./secrets.ts";
import { Seeder } from "./seeder.ts";
import { cacheLimitsOf, limitsOf, SEEDER_COMMAND, type SeederFlags } from "./seeder-command.ts";
import { SupernodeLink } from "./supernode-link.ts";
import { TrafficLimits } from "./traffic-limits.ts";

const LOCK_WAIT_MS = 15_000;
const BUFFER_BYTES = 128 * 1024 * 1024;

/** Runs until a signal. */
export async function main(args: readonly string[]): Promise<void> {
  if (args[0] === "gc") return (await import("./gc-command.ts")).main(args.slice(1));
  try {
    const parsed = await parseCommand(SEEDER_COMMAND, args);
    if (parsed !== undefined) await run(parsed.options as unknown as SeederFlags);
  } catch (error) {
    process.exit(reportError(error, { command: "seeder" }));
  }
}

async function run(flags: SeederFlags): Promise<void> {
  const logger = makeLogger({ name: "seeder", level: flags.logLevel });
  const cache = cacheLimitsOf(flags);
  handleSignals();
  await makeDataFolder(flags.data);
  const lock = await acquireLock(join(flags.data, "lock"), { waitMs: LOCK_WAIT_MS });
  onShutdown(() => lock[Symbol.asyncDispose]());
  const key = await openClusterKey(flags.clusterKey ?? join(flags.data, "cluster.key"));
  const peerId = makePeerId("seeder", randomBytes(20));
  const engine = await openEngine({
    listen: flags.listen,
    role: "seeder",
    peerId,
    uploadBytesPerSecond: flags.uploadLimit,
    downloadBytesPerSecond: 0,
    bufferBytes: BUFFER_BYTES,
    logger,
  });
  onShutdown(() => engine[Symbol.asyncDispose]());
  const origin = openOrigin(readOriginOptions({ ...flags }));
  onShutdown(() => origin.close());
  const limits = new TrafficLimits({ engine, origin, limits: limitsOf(flags) });
  let link: SupernodeLink | undefined;
  const seeder = new Seeder({
    engine,
    origin,
    key,
    salt: await openSalt(flags.data),
    data: flags.data,
    cache,
    logger,
    onChange: (id, task, reason = "deleted") =>
      link?.send(task === undefined ? { kind: "gone", task: id, reason } : { kind: "task", task }),
  });
  await seeder.restore();
  onShutdown(() => seeder.close());
  const { supernode, advertise, data } = flags;
  link = new SupernodeLink({ supernode, key, peerId, port: engine.address.port, advertise, logger, seeder, limits });
  onShutdown(() => link?.close());
  const metrics = flags.metrics && (await serveMetrics(flags.metrics, { engine, origin, seeder, link }));
  void link.run();
  const { host, port } = engine.address;
  printReady("seeder", {
    peer: formatHostPort({ host: reachableHost(host), port }),
    listen: formatHostPort({ host, port }),
    metrics,
    data,
  });
}

/** Answers where /metrics is. Loaded only where it is wanted. */
async function serveMetrics(
  listen: HostPort,
  parts: { engine: Engine; origin: SharedOrigin; seeder: Seeder; link: SupernodeLink },
): Promise<string> {
  const { engine, origin, seeder, link } = parts;
  const { makeSeederMetrics } = await import("./seeder-metrics.ts");
  const { listenForMetrics } = await import("../system/metrics-listener.ts");
  const registry = makeSeederMetrics({
    engine,
    counters: seeder.counters,
    originStats: () => origin.stats(),
    cacheReport: () => seeder.cacheReport(),
    states: () => seeder.states,
    linked: () => link.linked,
  });
  const listener = await listenForMetrics(registry, listen);
  onShutdown(() => listener[Symbol.asyncDispose]());
  return `http://${formatHostPort({ host: reachableHost(listener.host), port: listener.port })}/metrics`;
}
