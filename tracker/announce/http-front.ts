/**
 * HTTP announces and scrapes ahead of node's HTTP server, on the same port. Drives.
 *
 * A connection's chunks that are plain announces are answered here; with the first one that is not, the connection goes to the HTTP server
 * for good, the chunk included (measured on one core: 7,500 announces a second through koa, 20,000 through node's HTTP server alone). Invariant:
 * nothing is kept of a request, and a peer that does not read its answers is not read from.
 */
import type { Server as HttpServer } from "node:http";
import type { Socket } from "node:net";
import { setAddress } from "../swarm/ask.ts";
import { readSite } from "../swarm/site-table.ts";
import { type AnnounceDesk, UNKNOWN_TORRENT } from "./announce-desk.ts";
import { announceBody, failureBody, scrapeBody } from "./http-answer.ts";
import { emptyHttpAnnounce, kindOfTarget, readHttpAnnounce, readHttpScrape } from "./http-query.ts";
import { type RequestSpan, readRequest } from "./http-request.ts";

const IDLE_MS = 75_000;
const EVENTS = ["data", "end", "error", "timeout", "drain", "close"] as const;
type Listeners = Readonly<Record<(typeof EVENTS)[number], (chunk: Buffer) => void>>;

export class HttpFront implements Disposable {
  readonly #desk: AnnounceDesk;
  readonly #read = emptyHttpAnnounce();
  readonly #span: RequestSpan = { kind: "other", start: 0, end: 0, next: 0, keepAlive: false };
  readonly #sockets = new Set<Socket>();

  constructor(desk: AnnounceDesk) {
    this.#desk = desk;
  }

  /** Puts itself between a server's port and its HTTP. */
  attach(server: HttpServer): void {
    const [serve] = server.listeners("connection") as ((this: HttpServer, socket: Socket) => void)[];
    server.removeAllListeners("connection");
    server.on("connection", (socket: Socket) => this.#take(socket, () => serve.call(server, socket)));
  }

  /** The body for a target that came through the HTTP server. */
  answerTarget(target: string, remoteAddress: string): string {
    const bytes = Buffer.from(target, "latin1");
    const kind = kindOfTarget(bytes, 0, bytes.length);
    return kind === "other" ? failureBody("no such path") : this.#body({ bytes, start: 0, end: bytes.length, kind }, remoteAddress);
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #take(socket: Socket, handOver: () => void): void {
    const address = socket.remoteAddress ?? "";
    const destroy = (): void => void socket.destroy();
    const listeners: Listeners = {
      data: (chunk) => {
        const rest = this.#serve(socket, chunk, address);
        if (rest === undefined) return;
        this.#release(socket, listeners);
        // paused, so that the server, which reads from the handle itself, gets these bytes before those that follow
        socket.pause();
        socket.unshift(rest);
        handOver();
        socket.resume();
      },
      end: () => void socket.end(),
      error: destroy,
      timeout: destroy,
      drain: () => socket.resume(),
      close: () => this.#sockets.delete(socket),
    };
    this.#sockets.add(socket);
    for (const event of EVENTS) socket.on(event, listeners[event]);
    socket.setTimeout(IDLE_MS);
  }

  #release(socket: Socket, listeners: Listeners): void {
    for (const event of EVENTS) socket.off(event, listeners[event]);
    this.#sockets.delete(socket);
    socket.setTimeout(0);
  }

  /** Answers the requests of a chunk; answers what is left and not for us. */
  #serve(socket: Socket, chunk: Buffer, address: string): Buffer | undefined {
    const span = this.#span;
    for (let at = 0; at < chunk.length; at = span.next) {
      readRequest(chunk, at, span);
      if (span.kind === "other") return chunk.subarray(at);
      const { start, end, kind, keepAlive } = span;
      const body = this.#body({ bytes: chunk, start, end, kind }, address);
      const connection = keepAlive ? "" : "Connection: close\r\n";
      const answer = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n${connection}\r\n${body}`;
      if (!keepAlive) {
        socket.end(answer, "latin1");
        // as node's server does: waiting for the other side's end took a tenth of the whole, and a place for as long as it pleases that side
        socket.destroySoon();
        return undefined;
      }
      if (!socket.write(answer, "latin1")) socket.pause();
    }
    return undefined;
  }

  #body(request: { bytes: Buffer; start: number; end: number; kind: "announce" | "scrape" }, address: string): string {
    const { bytes, start, end, kind } = request;
    if (kind === "scrape") {
      const { hashes, passkey } = readHttpScrape(bytes, start, end);
      if (hashes.length === 0) return failureBody("a scrape needs an info_hash: this tracker lists no swarms");
      return scrapeBody(this.#desk.scrape(hashes, passkey), this.#desk.scrapeIntervalS);
    }
    const read = this.#read;
    const { ask } = read;
    const wrong = setAddress(ask, address) ? readHttpAnnounce(bytes, start, end, read) : "the connection has no address";
    if (wrong !== undefined) return failureBody(wrong);
    const labelled = read.idc !== "" || read.location !== "";
    ask.site = labelled ? this.#desk.store.sites.numberOf(readSite(read)) : 0;
    const handOut = this.#desk.announce(ask, read.path, "http");
    if (handOut === undefined) return failureBody(UNKNOWN_TORRENT);
    const { intervalS, minIntervalS } = this.#desk;
    return announceBody(ask, handOut, { intervalS, minIntervalS, compact: read.compact, noPeerId: read.noPeerId });
  }
}
