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
import type { WebPeer } from "../peer/webrtc/web-peer.ts";
import { formatHostPort, type HostPort, reachableHost } from "../system/addresses.ts";
import { realClock } from "../system/clock.ts";
import { acquireLock } from "../system/lock-file.ts";
import { type Logger, makeLogger } from "../system/logger.ts";
import { parseCommand } from "../system/options.ts";
import { printReady } from "../system/ready-line.ts";
import { reportError } from "../system/report-error.ts";
import { handleSignals, onShutdown } from "../system/shutdown.ts";
import type { InfoHash, PeerId } from "../torrents/ids.ts";
import { makePeerId } from "../torrents/peer-id.ts";
import { makeDataFolder, openClusterKey, openSalt } from "./secrets.ts";
import { Seeder } from "./seeder.ts";
import { cacheLimitsOf, limitsOf, SEEDER_COMMAND, type SeederFlags } from "./seeder-command.ts";
import { StatusTeller } from "./status-teller.ts";
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
  const webPeer = flags.webrtc ? await openWebPeer({ supernode, engine, logger }) : undefined;
  const onWelcome = (): void => {
    teller.welcome();
    webPeer?.leaveAll();
  };
  const { host, port } = engine.address;
  link = new SupernodeLink({ supernode, token, key, peerId, port, advertise, logger, seeder, limits, webPeer, onWelcome });
  const teller = new StatusTeller({
    engine,
    seeder,
    linked: () => link?.linked === true,
    send: (status) => link?.send({ kind: "status", status }),
    logger,
  });
  onShutdown(() => teller[Symbol.dispose]());
  onShutdown(() => link?.close());
  const metrics = flags.metrics && (await serveMetrics(flags.metrics, { engine, origin, seeder, link, webPeer }));
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

/** Loaded only where it is wanted. */
async function openWebPeer(options: { supernode: string; engine: Engine; logger: Logger }): Promise<WebPeer> {
  const { supernode, engine, logger } = options;
  const { WebPeer } = await import("../peer/webrtc/web-peer.ts");
  const isHeld = ({ infoHash }: { infoHash: InfoHash }): boolean => engine.torrents.has(infoHash);
  const webPeer = await WebPeer.open({ supernode, peerId: makePeerId("seeder", randomBytes(20)), isHeld, clock: realClock, logger });
  onShutdown(() => webPeer[Symbol.asyncDispose]());
  return webPeer;
}

/** Answers where /metrics is. Loaded only where it is wanted. */
async function serveMetrics(
  listen: HostPort,
  parts: { engine: Engine; origin: SharedOrigin; seeder: Seeder; link: SupernodeLink; webPeer: WebPeer | undefined },
): Promise<string> {
  const { engine, origin, seeder, link, webPeer } = parts;
  const { makeSeederMetrics } = await import("./seeder-metrics.ts");
  const { listenForMetrics } = await import("../system/metrics-listener.ts");
  const registry = makeSeederMetrics({
    engine,
    counters: seeder.counters,
    originStats: () => origin.stats(),
    cacheReport: () => seeder.cacheReport(),
    states: () => seeder.states,
    linked: () => link.linked,
    browsers: () => webPeer?.figures ?? { torrents: 0, connections: 0 },
  });
  const listener = await listenForMetrics(registry, listen);
  onShutdown(() => listener[Symbol.asyncDispose]());
  return `http://${formatHostPort({ host: reachableHost(listener.host), port: listener.port })}/metrics`;
}
