/**
 * Seeder links and WebSocket announces share the HTTP server's upgrade event, told apart by path. Drives sockets.
 * Invariant: nothing that a remote sends, as a request line or as a message, ends the process: it ends that connection. At most MOST_BROWSERS
 * announce, MOST_OF_ADDRESS of them from one address that is not this machine's.
 */
import type { Server as HttpServer, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { plainAddress } from "../system/addresses.ts";
import { keepAlive } from "../system/keep-alive.ts";
import { LINK_MESSAGE_BYTES, LINK_PATH } from "../torrents/seeder-link.ts";
import type { AccessGuard } from "./access/access-guard.ts";
import { isLoopback } from "./access/identify.ts";
import { limitKey } from "./access/request-limits.ts";
import { isOwnPage } from "./announce/web-origin.ts";
import type { SeederRegistry } from "./seeder-registry.ts";
import type { TrackerServer } from "./tracker-server.ts";

/** An announce has at most 20 offers of 16 KiB; Chromium's, of 5, take 4 KiB. */
const ANNOUNCE_MESSAGE_BYTES = 256 * 1024;
/** Browsers announce every fifth of the interval; one that does not even answer pings is gone. */
const PING_EVERY_MS = 60_000;
const MOST_BROWSERS = 10_000;
/** A site behind one address, with some open pages on each desk. */
const MOST_OF_ADDRESS = 500;

export interface WebSocketOptions {
  readonly tracker: TrackerServer;
  readonly seeders: SeederRegistry;
  readonly guard: AccessGuard;
  /** Pages of other sites may announce too. */
  readonly open: boolean;
}

/** Answers what has to be closed with the supernode. */
export function attachWebSockets(http: HttpServer, to: WebSocketOptions): WebSocketServer[] {
  const links = new WebSocketServer({ noServer: true, maxPayload: LINK_MESSAGE_BYTES });
  const announces = new WebSocketServer({ noServer: true, maxPayload: ANNOUNCE_MESSAGE_BYTES, perMessageDeflate: false });
  const ofAddress = new Map<string, number>();
  links.on("connection", (socket, request) => to.seeders.accept(socket, request));
  announces.on("connection", (socket: WebSocket, request: IncomingMessage) => {
    count(ofAddress, socket, request);
    keepAlive(socket, PING_EVERY_MS);
    to.tracker.acceptWebSocket(socket, request);
  });
  http.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const path = (request.url ?? "").split("?", 1)[0];
    const server = path === LINK_PATH ? links : path === "/" || path === "/announce" ? announces : undefined;
    if (server === undefined) return refuse(socket, "404 Not Found");
    const accept = (): void => server.handleUpgrade(request, socket, head, (made) => server.emit("connection", made, request));
    if (server === announces) {
      if (!to.open && !isOwnPage(request.headers)) return refuse(socket, "403 Forbidden");
      if (isCrowded(ofAddress, request, announces.clients.size)) return refuse(socket, "429 Too Many Requests", "retry-after: 30\r\n");
      return accept();
    }
    // messages of seeders may be long: nobody else gets as far as sending one
    void to.guard
      .admitsSeeder(request)
      .then((admitted) => (admitted ? accept() : refuse(socket, "401 Unauthorized", "www-authenticate: Bearer\r\n")));
  });
  return [links, announces];
}

function count(ofAddress: Map<string, number>, socket: WebSocket, request: IncomingMessage): void {
  const key = limitKey(addressOf(request));
  ofAddress.set(key, (ofAddress.get(key) ?? 0) + 1);
  socket.once("close", () => {
    const left = (ofAddress.get(key) ?? 1) - 1;
    if (left > 0) ofAddress.set(key, left);
    else ofAddress.delete(key);
  });
}

function isCrowded(ofAddress: ReadonlyMap<string, number>, request: IncomingMessage, all: number): boolean {
  const address = addressOf(request);
  return all >= MOST_BROWSERS || (!isLoopback(address) && (ofAddress.get(limitKey(address)) ?? 0) >= MOST_OF_ADDRESS);
}

function addressOf(request: IncomingMessage): string {
  return plainAddress(request.socket.remoteAddress ?? "");
}

function refuse(socket: Socket, status: string, header = ""): void {
  socket.end(`HTTP/1.1 ${status}\r\n${header}content-length: 0\r\nconnection: close\r\n\r\n`, () => socket.destroy());
}
