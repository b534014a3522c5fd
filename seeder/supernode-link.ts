/**
 * The seeder's side of the link to its supernode (torrents/seeder-link.ts): connects, proves the cluster key, tells all
 * tasks, answers requests; comes back for ever when the connection breaks.
 */
import { type KeyObject, sign } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";
import { toSkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import { VERSION } from "../system/options.ts";
import { tokenHeaders } from "../system/supernode-token.ts";
import { publicKeyBytes } from "../torrents/cluster-key.ts";
import type { PeerId } from "../torrents/ids.ts";
import { parseSupernodeMessage } from "../torrents/parse-link-message.ts";
import {
  LINK_MESSAGE_BYTES,
  LINK_PATH,
  LINK_SIGNATURE_CONTEXT,
  type SeederMessage,
  type SeederRequest,
  type SeederResult,
  type SupernodeMessage,
} from "../torrents/seeder-link.ts";
import type { TaskRequest } from "../torrents/task-api.ts";
import type { BrowserSeats } from "./browser-seats.ts";
import type { Seeder } from "./seeder.ts";
import type { TrafficLimits } from "./traffic-limits.ts";

const FIRST_DELAY_MS = 200;
const MOST_DELAY_MS = 5000;
const SILENT_MS = 45_000;

export interface LinkOptions {
  readonly supernode: string;
  /** For its API; absent: none. */
  readonly token?: string;
  readonly key: KeyObject;
  readonly peerId: PeerId;
  readonly port: number;
  readonly advertise: string | undefined;
  readonly logger: Logger;
  readonly seeder: Seeder;
  readonly limits: TrafficLimits;
  /** undefined: it serves no browsers. */
  readonly seats: Pick<BrowserSeats, "serve"> | undefined;
  /** The supernode hears us from now on. */
  readonly onWelcome: () => void;
}

export class SupernodeLink {
  readonly #options: LinkOptions;
  readonly #stop = new AbortController();
  #socket: WebSocket | undefined;
  #welcome = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Runs until close(). */
  async run(): Promise<void> {
    for (let failures = 0; !this.#stop.signal.aborted; failures++) {
      if (await this.#connect()) failures = 0;
      const delayMs = Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures) * (0.5 + Math.random() / 2);
      await sleep(delayMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  /** Tells the supernode, if it is there; after the next welcome it hears everything anyway. */
  send(message: SeederMessage): void {
    if (this.#welcome && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** The supernode has welcomed us, and the connection stands. */
  get linked(): boolean {
    return this.#welcome;
  }

  close(): void {
    this.#stop.abort();
    this.#socket?.terminate();
  }

  /** One connection, from dialling to its end; true where the supernode welcomed us. */
  #connect(): Promise<boolean> {
    const { logger, supernode, token } = this.#options;
    const socket = new WebSocket(new URL(LINK_PATH, supernode.replace(/^http/, "ws")), {
      headers: tokenHeaders(token),
      maxPayload: LINK_MESSAGE_BYTES,
      handshakeTimeout: 5000,
    });
    this.#socket = socket;
    let alive = setTimeout(() => socket.terminate(), SILENT_MS);
    const heard = (): void => {
      clearTimeout(alive);
      alive = setTimeout(() => socket.terminate(), SILENT_MS);
    };
    return new Promise((resolve) => {
      let welcomed = false;
      socket.on("ping", heard);
      socket.on("unexpected-response", (_sent, { statusCode }) => {
        const hint = statusCode === 401 ? "a seeder on another host needs --token, with the scope admin" : undefined;
        logger.error({ supernode, status: statusCode, hint }, "supernode does not take this seeder");
        socket.terminate();
      });
      socket.on("error", (error) => logger.debug({ err: error.message, supernode }, "link to the supernode failed"));
      socket.on("message", (bytes) => {
        heard();
        try {
          const message = parseSupernodeMessage(String(bytes));
          welcomed ||= message.kind === "welcome";
          this.#onMessage(socket, message);
        } catch (error) {
          logger.warn({ err: String(error) }, "supernode sent nonsense");
          socket.close(4400);
        }
      });
      socket.on("close", (code, reason) => {
        clearTimeout(alive);
        this.#welcome = false;
        if (code === 4401) logger.error({ supernode, reason: String(reason) }, "supernode refused this seeder");
        resolve(welcomed);
      });
    });
  }

  #onMessage(socket: WebSocket, message: SupernodeMessage): void {
    const { key, peerId, port, advertise, seeder, logger, seats } = this.#options;
    const send = (answer: SeederMessage): void => socket.send(JSON.stringify(answer));
    if (message.kind === "challenge") {
      const signature = sign(null, Buffer.concat([Buffer.from(LINK_SIGNATURE_CONTEXT), Buffer.from(message.nonce, "base64")]), key);
      send({
        kind: "hello",
        key: publicKeyBytes(key).toString("base64"),
        signature: signature.toString("base64"),
        peerId,
        port,
        host: advertise,
        version: VERSION,
        webrtc: seats !== undefined,
      });
    } else if (message.kind === "welcome") {
      this.#welcome = true;
      logger.info({ supernode: this.#options.supernode, seederId: message.seederId }, "linked to the supernode");
      for (const task of seeder.shapes) send({ kind: "task", task });
      this.#options.onWelcome();
    } else {
      const { id } = message;
      this.#answer(message).then(
        (result) => send({ kind: "reply", id, ...result }),
        (thrown: unknown) => {
          const { code, message: text, hint, status } = toSkimmerError(thrown);
          send({ kind: "reply", id, error: { code, message: text, hint, status } });
        },
      );
    }
  }

  /** Callers on the supernode's machine are on ours only where that is the same. */
  #asAllowed(request: Omit<TaskRequest, "peer">): Omit<TaskRequest, "peer"> {
    const hostname = new URL(this.#options.supernode).hostname.replace(/^\[|\]$/g, "");
    const same = hostname === "localhost" || hostname === "::1" || hostname.startsWith("127.");
    return same ? request : { ...request, loopback: undefined };
  }

  async #answer(request: SeederRequest): Promise<SeederResult> {
    const { seeder, limits, seats } = this.#options;
    switch (request.kind) {
      case "resolve":
        return { task: await seeder.resolve(this.#asAllowed(request.request)) };
      case "delete":
        await seeder.delete(request.task);
        return {};
      case "pin":
        await seeder.pin(request.task, request.pinned);
        return {};
      case "cache":
        return { cache: await seeder.cacheReport() };
      case "gc":
        return { gc: await seeder.collect(request.to) };
      case "limits":
        limits.set(request.set);
        return { limits: limits.current };
      case "browsers":
        await seats?.serve(seeder.publicTorrent(request.task));
        return {};
    }
  }
}
