/**
 * The announce protocols together: HTTP, UDP and WebSocket fronts (announce/) over one desk. Drives.
 */
import type { IncomingMessage } from "node:http";
import type { WebSocket } from "ws";
import type { Logger } from "../system/logger.ts";
import type { InfoHash } from "../torrents/ids.ts";
import { AnnounceDesk, type DeskOptions } from "./announce/announce-desk.ts";
import { HttpFront } from "./announce/http-front.ts";
import { UdpFront } from "./announce/udp-front.ts";
import { WebFront } from "./announce/web-front.ts";

export interface TrackerOptions extends DeskOptions {
  readonly logger: Logger;
  readonly intervalMs: number;
  /** A browser that lacks pieces is in this swarm. */
  onWebLeech(infoHash: InfoHash): void;
}

export class TrackerServer implements AsyncDisposable {
  readonly http: HttpFront;
  readonly #web: WebFront;
  readonly #desk: AnnounceDesk;
  readonly #logger: Logger;
  readonly #udp: UdpFront[] = [];

  constructor(options: TrackerOptions) {
    const { logger, intervalMs, onWebLeech } = options;
    this.#logger = logger;
    this.#desk = new AnnounceDesk(options);
    this.http = new HttpFront(this.#desk);
    this.#web = new WebFront({ desk: this.#desk, logger, intervalMs, onLeech: onWebLeech });
  }

  /** Answered since the start, by protocol. */
  get announces(): Readonly<Record<"http" | "udp" | "ws", number>> {
    return this.#desk.announces;
  }

  /** Binds the UDP tracker; rejects with the socket's error (EADDRINUSE). */
  async bindUdp(host: string, port: number): Promise<void> {
    this.#udp.push(await UdpFront.bind({ desk: this.#desk, logger: this.#logger, host, port }));
  }

  /** A WebSocket peer (browser). */
  acceptWebSocket(socket: WebSocket, request: IncomingMessage): void {
    this.#web.accept(socket, request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.http[Symbol.dispose]();
    await Promise.all(this.#udp.map((front) => front[Symbol.asyncDispose]()));
  }
}
