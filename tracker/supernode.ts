/**
 * The supernode as one running thing: HTTP port, tracker, seeder link, task table. Drives sockets; closes what it opened.
 */

import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { realClock } from "../system/clock.ts";
import { SkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import { makeApi } from "./api.ts";
import { SeederRegistry } from "./seeder-registry.ts";
import { SwarmStore } from "./swarm-store.ts";
import { TaskService } from "./task-service.ts";
import { TaskTable } from "./task-table.ts";
import { TrackerServer } from "./tracker-server.ts";
import { attachWebSockets } from "./web-sockets.ts";

const BIND_TRIES = 20;
const MOST_CONNECTIONS = 20_000;

export interface SupernodeOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly data: string;
  readonly advertise: string | undefined;
  readonly openTracker: boolean;
  readonly announceIntervalMs: number;
  readonly expectsSeeder: boolean;
  readonly logger: Logger;
}

export interface Supernode extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly seeders: SeederRegistry;
}

/** Starts one. Rejects with SkimmerError `address_in_use`. */
export async function openSupernode(options: SupernodeOptions): Promise<Supernode> {
  const { logger } = options;
  const swarms = new SwarmStore({ expireMs: options.announceIntervalMs * 2 });
  const tasks = new TaskTable({ path: join(options.data, "tasks.json"), swarms, logger, clock: realClock });
  await tasks.load();
  let service: TaskService | undefined;
  const seeders = new SeederRegistry({
    pinPath: join(options.data, "cluster.pub"),
    logger,
    events: {
      onTask: (task, seeder) => {
        tasks.update(task, seeder);
        service?.addSeederTo(task, seeder);
      },
      onGone: (task) => tasks.remove(task),
      onSeederGone: (seeder) => tasks.dropSeeder(seeder),
    },
  });
  service = new TaskService({ tasks, seeders, swarms, clock: realClock, random: Math.random });
  const refresh = setInterval(() => {
    for (const row of tasks.rows) for (const seeder of row.seeders) service?.addSeederTo(row.task, seeder as never);
  }, options.announceIntervalMs);
  refresh.unref();
  const tracker = new TrackerServer({
    store: swarms,
    clock: realClock,
    random: Math.random,
    logger,
    intervalMs: options.announceIntervalMs,
    open: options.openTracker,
  });
  const health = () => ({
    ready: seeders.seeders.length > 0 || !options.expectsSeeder,
    seeders: seeders.seeders.length,
    tasks: tasks.size,
  });
  const app = makeApi({ service, tracker, logger, advertise: options.advertise, udp: true, health });
  const http = await bind(options, tracker, () => createServer(HTTP_LIMITS, app.callback()));
  const links = attachWebSockets(http, { tracker, seeders });
  const { port } = http.address() as AddressInfo;
  return {
    host: options.listen.host,
    port,
    seeders,
    [Symbol.asyncDispose]: async () => {
      clearInterval(refresh);
      seeders.close();
      for (const server of links) server.close();
      http.close();
      http.closeAllConnections();
      await tracker[Symbol.asyncDispose]();
      await tasks.close();
    },
  };
}

const HTTP_LIMITS = { maxHeaderSize: 64 * 1024, requestTimeout: 120_000, headersTimeout: 15_000, keepAliveTimeout: 75_000 } as const;

/** Binds TCP, then UDP on the same number; a number that UDP has not free is given back and another one tried. */
async function bind(options: SupernodeOptions, tracker: TrackerServer, make: () => HttpServer): Promise<HttpServer> {
  const { host, port } = options.listen;
  for (let tries = 1; ; tries++) {
    const http = make();
    http.maxConnections = MOST_CONNECTIONS;
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
