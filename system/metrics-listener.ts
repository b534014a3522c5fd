/**
 * `--metrics HOST:PORT`: a small HTTP server with GET /metrics, for processes that have no HTTP port of their own.
 */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import type { HostPort } from "./addresses.ts";
import { SkimmerError } from "./errors.ts";

const MOST_CONNECTIONS = 100;

export interface MetricsListener extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** Listens. Rejects with SkimmerError `address_in_use`. */
export async function listenForMetrics(registry: Registry, { host, port }: HostPort): Promise<MetricsListener> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5000 }, (request, response) => {
    if (request.url?.split("?", 1)[0] !== "/metrics") return void response.writeHead(404).end("only /metrics is here\n");
    if (request.method !== "GET" && request.method !== "HEAD") return void response.writeHead(405, { allow: "GET" }).end();
    answer(registry, response).catch(() => response.destroy());
  });
  server.maxConnections = MOST_CONNECTIONS;
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (cause) {
    throw new SkimmerError("address_in_use", `cannot listen on ${host}:${port} for metrics: ${(cause as Error).message}`, {
      hint: "Choose another address with --metrics.",
      cause,
    });
  }
  return {
    host,
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function answer(registry: Registry, response: ServerResponse): Promise<void> {
  const text = await registry.metrics();
  response.writeHead(200, { "content-type": registry.contentType }).end(text);
}
