/**
 * The supernode as one running thing: HTTP port, tracker, seeder link, task table. Drives sockets; closes what it opened.
 */
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { CredentialStore } from "../registry/docker-config.ts";
import type { RegistryTls } from "../registry/registry-http.ts";
import { realClock } from "../system/clock.ts";
import { SkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import type { Reach } from "../system/reach.ts";
import type { SeederTask } from "../torrents/seeder-link.ts";
import type { TaskRequest } from "../torrents/task-api.ts";
import { limitConnections } from "./access/connection-limits.ts";
import { type AccessOptions, openAccess } from "./access/open-access.ts";
import { AddressLimits } from "./announce/address-limits.ts";
import { HostClaims } from "./announce/host-claims.ts";
import { IntervalPlan } from "./announce/interval-plan.ts";
import { openAnnounceSecret } from "./announce-secret.ts";
import { makeApi } from "./api.ts";
import { BrowserCalls } from "./browser-calls.ts";
import { CacheService } from "./cache-service.ts";
import { type SupernodeFigures, SupernodeMetrics } from "./metrics.ts";
import { Pages } from "./pages/pages.ts";
import { Passkeys } from "./passkeys.ts";
import { PeerStanding } from "./peer-standing.ts";
import type { WebhookOptions } from "./preheat/preheat-routes.ts";
import { PreheatService } from "./preheat/preheat-service.ts";
import { SeederAnnouncer } from "./seeder-announcer.ts";
import { SeederRegistry } from "./seeder-registry.ts";
import { addressText } from "./swarm/address-bytes.ts";
import { type Network, SiteTable } from "./swarm/site-table.ts";
import { SwarmStore } from "./swarm/swarm-store.ts";
import { SwarmKeeper } from "./swarm-keeper.ts";
import { TaskService } from "./task-service.ts";
import { TaskTable } from "./task-table.ts";
import { TrackerServer } from "./tracker-server.ts";
import { attachWebSockets } from "./web-sockets.ts";

const BIND_TRIES = 20;
const MOST_CONNECTIONS = 20_000;
const PREHEAT_SEEDER_WAIT_MS = 30_000;

export interface SupernodeOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly data: string;
  readonly advertise: string | undefined;
  readonly openTracker: boolean;
  readonly announceIntervalMs: number;
  readonly expectsSeeder: boolean;
  /** Where hosts are that do not say it themselves; absent: unknown. */
  readonly networks?: readonly Network[];
  /** The supernode's own at registries, for what webhooks name; absent: none. */
  readonly credentials?: CredentialStore;
  readonly webhooks?: WebhookOptions;
  /** Who may call the API; absent: callers on this machine, others with a token. */
  readonly access?: AccessOptions;
  /** For https registries. */
  readonly tls?: RegistryTls;
  /** Where registries may be; absent: anywhere. */
  readonly reach?: Reach;
  readonly logger: Logger;
}

export interface Supernode extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly seeders: SeederRegistry;
  /** File with the token for other hosts; undefined: none was made. */
  readonly hostsToken: string | undefined;
  /** For its own seeder, until it ends. */
  readonly seederToken: string;
}

/** Starts one. Rejects with SkimmerError `address_in_use`. */
export async function openSupernode(options: SupernodeOptions): Promise<Supernode> {
  const { logger, announceIntervalMs: intervalMs, advertise } = options;
  const parts = await openParts(options);
  const { swarms, tasks, seeders, service, claims, preheats, intervals, keeper, pages } = parts;
  const announcer = new SeederAnnouncer({ tasks, service, intervalMs });
  const tracker = new TrackerServer({
    store: swarms,
    claims,
    intervals,
    clock: realClock,
    random: Math.random,
    logger,
    intervalMs,
    open: options.openTracker,
    onWebLeech: (infoHash) => void browsers.call(infoHash),
  });
  const browsers = new BrowserCalls({ tasks, seeders, clock: realClock, logger });
  const health = () => ({
    ready: seeders.seeders.length > 0 || !options.expectsSeeder,
    seeders: seeders.seeders.length,
    tasks: tasks.size,
  });
  const cache = new CacheService({ tasks, seeders });
  const metrics = new SupernodeMetrics(figuresOf({ ...parts, tracker }));
  const webhooks = options.webhooks ?? { secret: undefined, registry: undefined };
  const { guard, audit, hostsToken, seederToken } = await openAccess(options.access ?? {}, {
    data: options.data,
    listenHost: options.listen.host,
    advertise,
    webhookSecret: webhooks.secret !== undefined,
    clock: realClock,
    logger,
  });
  const app = makeApi({ ...parts, browsers, cache, tracker, webhooks, metrics, guard, audit, logger, advertise, health, udp: true });
  const http = await bind(options, tracker, () => createServer(HTTP_LIMITS, app.callback()));
  const links = attachWebSockets(http, { tracker, seeders, guard, open: options.openTracker });
  const { port } = http.address() as AddressInfo;
  return {
    host: options.listen.host,
    port,
    seeders,
    hostsToken,
    seederToken,
    [Symbol.asyncDispose]: async () => {
      announcer[Symbol.dispose]();
      await preheats[Symbol.asyncDispose]();
      await pages[Symbol.asyncDispose]();
      seeders.close();
      for (const server of links) server.close();
      http.close();
      http.closeAllConnections();
      await tracker[Symbol.asyncDispose]();
      await keeper[Symbol.asyncDispose]();
      await tasks.close();
      await audit[Symbol.asyncDispose]();
    },
  };
}

interface Parts {
  readonly swarms: SwarmStore;
  readonly tasks: TaskTable;
  readonly seeders: SeederRegistry;
  readonly service: TaskService;
  readonly claims: HostClaims;
  readonly preheats: PreheatService;
  readonly intervals: IntervalPlan;
  readonly keeper: SwarmKeeper;
  readonly standing: PeerStanding;
  readonly pages: Pages;
  readonly reach: Reach | undefined;
}

/** What has no port of its own; brings the last run's tasks and preheats back. */
async function openParts(options: SupernodeOptions): Promise<Parts> {
  const { logger, data, announceIntervalMs } = options;
  const intervals = new IntervalPlan({ intervalMs: announceIntervalMs });
  const limits = new AddressLimits({ key: randomKey(), periodMs: () => intervals.expireMs });
  const standing = new PeerStanding();
  const swarms = new SwarmStore({
    expireMs: () => intervals.expireMs,
    seed: randomInt(2 ** 31),
    sites: new SiteTable(options.networks),
    standing: (ask, nowMs) => standing.of(() => `${addressText(ask.address, 0, ask.v6)} ${ask.port}`, nowMs),
    admit: (ask, nowMs) => limits.admit(ask, nowMs),
  });
  await mkdir(data, { recursive: true, mode: 0o700 });
  const secret = await openAnnounceSecret(join(data, "passkey.secret"));
  const passkeys = new Passkeys(secret);
  const claims = new HostClaims(secret);
  const tasks = new TaskTable({ path: join(data, "tasks.json"), swarms, passkeys, logger });
  await tasks.load();
  const keeper = new SwarmKeeper({ path: join(data, "swarms"), store: swarms, clock: realClock, logger });
  await keeper.load({ expireMs: intervals.expireMs, open: options.openTracker, wallMs: Date.now() });
  keeper.start();
  let parts: Parts | undefined;
  const seeders = await SeederRegistry.open({
    pinPath: join(data, "cluster.pub"),
    limitsPath: join(data, "limits.json"),
    clock: realClock,
    logger,
    events: {
      onTask: (task, seeder) => {
        tasks.update(task, seeder);
        parts?.service.addSeederTo(task, seeder);
        parts?.preheats.watch.told(task);
      },
      onGone: (task, seeder, reason) => {
        parts?.service.onGone(task, seeder, reason);
        if (reason === "deleted") parts?.preheats.watch.gone(task);
      },
      onSeederGone: (seeder) => {
        tasks.dropSeeder(seeder);
        parts?.preheats.watch.lost();
        parts?.pages.seederGone(seeder);
      },
      onStatus: (status, seeder) => parts?.pages.takeStatus(status, seeder),
    },
  });
  const service = new TaskService({ tasks, seeders, swarms, claims, clock: realClock, random: Math.random });
  const preheats = await PreheatService.open({
    data,
    credentials: options.credentials ?? new Map(),
    tls: options.tls,
    reach: options.reach,
    resolve: (request) => resolveForPreheat(request, { seeders, tasks }),
    clock: realClock,
    logger,
  });
  const pages = await Pages.open({ path: join(data, "totals.json"), tasks, swarms, seeders, standing, clock: realClock, logger });
  parts = { swarms, tasks, seeders, service, claims, preheats, intervals, keeper, standing, pages, reach: options.reach };
  return parts;
}

/** Waits for a seeder, since after a start they come only after the jobs; the answer is what was told last. */
async function resolveForPreheat(request: TaskRequest, parts: { seeders: SeederRegistry; tasks: TaskTable }): Promise<SeederTask> {
  await parts.seeders.waitForSeeder(PREHEAT_SEEDER_WAIT_MS);
  const task = await parts.seeders.resolve(request);
  parts.tasks.remember(request, task.id);
  return parts.tasks.find(task.id)?.task ?? task;
}

function randomKey(): Int32Array {
  return new Int32Array(new Uint8Array(randomBytes(16)).buffer);
}

function figuresOf(parts: Omit<Parts, "service"> & { tracker: TrackerServer }): SupernodeFigures {
  const { tasks, swarms, tracker, preheats, seeders } = parts;
  return {
    tasks: () => {
      const counts = { live: 0, final: 0, failed: 0 };
      for (const { task } of tasks.rows) counts[task.state]++;
      return counts;
    },
    swarms: () => swarms.totals(realClock.nowMs()),
    announces: () => tracker.announces,
    preheats: () => preheats.counts(),
    seeders: () => seeders.seeders.length,
  };
}

/** Who sends slowly is cut off: a head has 15 s, a whole request 60 s. */
const HTTP_LIMITS = {
  maxHeaderSize: 64 * 1024,
  requestTimeout: 60_000,
  headersTimeout: 15_000,
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 5_000,
} as const;

/** Binds TCP, then UDP on the same number; a number that UDP has not free is given back and another one tried. */
async function bind(options: SupernodeOptions, tracker: TrackerServer, make: () => HttpServer): Promise<HttpServer> {
  const { host, port } = options.listen;
  for (let tries = 1; ; tries++) {
    const http = make();
    http.maxConnections = MOST_CONNECTIONS;
    tracker.http.attach(http);
    limitConnections(http);
    try {
      http.listen(port, host);
      await once(http, "listening");
      await tracker.bindUdp(host, (http.address() as AddressInfo).port);
      return http;
    } catch (error) {
      http.close();
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EADDRINUSE" && port === 0 && tries < BIND_TRIES) continue;
      throw new SkimmerError(
        code === "EADDRINUSE" ? "address_in_use" : "internal",
        `cannot listen on ${host}:${port}: ${(error as Error).message}`,
        { hint: "Choose another address with --listen.", cause: error },
      );
    }
  }
}
