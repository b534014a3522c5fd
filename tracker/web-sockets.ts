/**
 * Seeder links and WebSocket announces share the HTTP server's upgrade event, told apart by path. Drives sockets.
 * Invariant: nothing that a remote sends, as a request line or as a message, ends the process: it ends that connection.
 */
import type { Server as HttpServer, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { WebSocketServer } from "ws";
import { LINK_MESSAGE_BYTES, LINK_PATH } from "../torrents/seeder-link.ts";
import { keepAlive } from "./keep-alive.ts";
import type { SeederRegistry } from "./seeder-registry.ts";
import type { TrackerServer } from "./tracker-server.ts";

const ANNOUNCE_MESSAGE_BYTES = 256 * 1024;
/** Browsers announce every fifth of the interval; one that does not even answer pings is gone. */
const PING_EVERY_MS = 60_000;

/** Answers what has to be closed with the supernode. */
export function attachWebSockets(http: HttpServer, to: { tracker: TrackerServer; seeders: SeederRegistry }): WebSocketServer[] {
  const links = new WebSocketServer({ noServer: true, maxPayload: LINK_MESSAGE_BYTES });
  const announces = new WebSocketServer({ noServer: true, maxPayload: ANNOUNCE_MESSAGE_BYTES, perMessageDeflate: false });
  links.on("connection", (socket, request) => to.seeders.accept(socket, request));
  announces.on("connection", (socket, request) => {
    keepAlive(socket, PING_EVERY_MS);
    to.tracker.acceptWebSocket(socket, request);
  });
  http.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const path = (request.url ?? "").split("?", 1)[0];
    const server = path === LINK_PATH ? links : path === "/" || path === "/announce" ? announces : undefined;
    if (server === undefined) return void socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n", () => socket.destroy());
    server.handleUpgrade(request, socket, head, (made) => server.emit("connection", made, request));
  });
  return [links, announces];
}
