/**
 * The `seeder` command: engine, origin, link to the supernode. `seeder gc` is gc-command.ts.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { openOrigin } from "../origin/open-origin.ts";
import { withGuard } from "../origin/origin-guard.ts";
import { readOriginOptions } from "../origin/origin-options.ts";
import type { SharedOrigin } from "../origin/types.ts";
import { openEngine } from "../peer/engine/engine.ts";
import type { Engine } from "../peer/engine/types.ts";
import { formatHostPort, type HostPort, reachableHost } from "../system/addresses.ts";
import { realClock } from "../system/clock.ts";
import { acquireLock } from "../system/lock-file.ts";
import { type Logger, makeLogger } from "../system/logger.ts";
import { parseCommand } from "../system/options.ts";
import { printReady } from "../system/ready-line.ts";
import { reportError } from "../system/report-error.ts";
import { handleSignals, onShutdown } from "../system/shutdown.ts";
import type { PeerId } from "../torrents/ids.ts";
import { makePeerId } from "../torrents/peer-id.ts";
import type { BrowserSeats, SeatedTorrent } from "./browser-seats.ts";
import { makeDataFolder, openClusterKey, openSalt } from "./secrets.ts";
import { Seeder } from "./seeder.ts";
import { cacheLimitsOf, limitsOf, SEEDER_COMMAND, type SeederFlags } from "./seeder-command.ts";
import { StatusTeller } from "./status-teller.ts";
import { SupernodeLink } from "./supernode-link.ts";
import { TrafficLimits } from "./traffic-limits.ts";

const LOCK_WAIT_MS = 15_000;
const BUFFER_BYTES = 128 * 1024 * 1024;
/** Calls of browsers: as many as the supernode passes on to one connection. */
const ANSWERS = { perSecond: 20, burst: 100 };

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
  const engine = await openPort(flags, peerId, logger);
  const origin = openOrigin(withGuard(readOriginOptions({ ...flags }), flags));
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
  const { supernode, token, advertise, data } = flags;
  const seats = flags.webrtc ? await openSeats({ supernode, engine, logger }) : undefined;
  const onWelcome = (): void => teller.welcome();
  const { host, port } = engine.address;
  link = new SupernodeLink({ supernode, token, key, peerId, port, advertise, logger, seeder, limits, seats, onWelcome });
  const teller = new StatusTeller({
    engine,
    seeder,
    linked: () => link?.linked === true,
    send: (status) => link?.send({ kind: "status", status }),
    logger,
  });
  onShutdown(() => teller[Symbol.dispose]());
  onShutdown(() => link?.close());
  const metrics = flags.metrics && (await serveMetrics(flags.metrics, { engine, origin, seeder, link, seats }));
  void link.run();
  printReady("seeder", {
    peer: formatHostPort({ host: reachableHost(host), port }),
    listen: formatHostPort({ host, port }),
    metrics,
    data,
  });
}

async function openPort(flags: SeederFlags, peerId: PeerId, logger: Logger): Promise<Engine> {
  const engine = await openEngine({
    listen: flags.listen,
    role: "seeder",
    peerId,
    uploadBytesPerSecond: flags.uploadLimit,
    downloadBytesPerSecond: 0,
    encryption: flags.encryption,
    bufferBytes: BUFFER_BYTES,
    logger,
  });
  onShutdown(() => engine[Symbol.asyncDispose]());
  return engine;
}

/** Browsers' connections are the engine's own. Loaded only where it is wanted. */
async function openSeats({ supernode, engine, logger }: { supernode: string; engine: Engine; logger: Logger }): Promise<BrowserSeats> {
  const [{ openCalls }, { WebTrackers }, { meetings }, { BrowserSeats }] = await Promise.all([
    import("../peer/webrtc/open-calls.ts"),
    import("../peer/discovery/web-trackers.ts"),
    import("../peer/discovery/meetings.ts"),
    import("./browser-seats.ts"),
  ]);
  const calls = await openCalls(engine.address, { stun: [] });
  onShutdown(() => calls[Symbol.dispose]());
  const trackers = new WebTrackers({ calls, ...meetings(engine), answers: ANSWERS, clock: realClock, random: Math.random });
  onShutdown(() => trackers[Symbol.dispose]());
  const isHeld = ({ infoHash }: SeatedTorrent): boolean => engine.torrents.has(infoHash);
  const seats = new BrowserSeats({ supernode, peerId: engine.peerId, trackers, isHeld, clock: realClock, logger });
  onShutdown(() => seats[Symbol.dispose]());
  return seats;
}

/** Answers where /metrics is. Loaded only where it is wanted. */
async function serveMetrics(
  listen: HostPort,
  parts: { engine: Engine; origin: SharedOrigin; seeder: Seeder; link: SupernodeLink; seats: BrowserSeats | undefined },
): Promise<string> {
  const { engine, origin, seeder, link, seats } = parts;
  const { makeSeederMetrics } = await import("./seeder-metrics.ts");
  const { listenForMetrics } = await import("../system/metrics-listener.ts");
  const registry = makeSeederMetrics({
    engine,
    counters: seeder.counters,
    originStats: () => origin.stats(),
    cacheReport: () => seeder.cacheReport(),
    states: () => seeder.states,
    linked: () => link.linked,
    browsers: () => seats?.figures ?? { torrents: 0, connections: 0 },
  });
  const listener = await listenForMetrics(registry, listen);
  onShutdown(() => listener[Symbol.asyncDispose]());
  return `http://${formatHostPort({ host: reachableHost(listener.host), port: listener.port })}/metrics`;
}
