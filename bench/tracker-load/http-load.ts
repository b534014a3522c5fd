/**
 * HTTP announces, one at a time on each of many connections; or each on a connection of its own.
 */
import net from "node:net";
import { httpAnnounces } from "./announces.ts";
import type { Load, LoadOptions } from "./load.ts";
import { paced } from "./paced.ts";

const CONNECTIONS = 32;
const READ_BYTES = 16 * 1024;
const HEAD_END = Buffer.from("\r\n\r\n");
const PEERS = Buffer.from("5:peers");

/** Begins at once. */
export function startHttp(options: LoadOptions & { readonly keepAlive: boolean }): Load {
  const requests = httpAnnounces(options);
  let next = 0;
  let closed = false;
  const request = (): string => requests[next++ % requests.length];
  const lanes = Array.from({ length: CONNECTIONS }, () => new Lane({ ...options, request, isClosed: () => closed }));
  let turn = 0;
  const pace = options.rate > 0 ? paced(options.rate, () => lanes[turn++ % CONNECTIONS].send()) : undefined;
  if (pace === undefined) for (const lane of lanes) lane.send();
  return {
    close: () => {
      closed = true;
      pace?.close();
    },
  };
}

/** One connection after the other, or one for all; what is asked for while one is on the way waits. */
class Lane {
  readonly #options: LoadOptions & { keepAlive: boolean; request: () => string; isClosed: () => boolean };
  readonly #buffer = Buffer.alloc(READ_BYTES);
  #socket: net.Socket | undefined;
  #sentMs = 0;
  #busy = false;
  /** When those that wait were due. */
  readonly #waiting: number[] = [];
  #length = 0;

  constructor(options: LoadOptions & { keepAlive: boolean; request: () => string; isClosed: () => boolean }) {
    this.#options = options;
  }

  send(dueMs = performance.now()): void {
    if (this.#busy) {
      this.#waiting.push(dueMs);
      return;
    }
    this.#busy = true;
    this.#sentMs = dueMs;
    this.#length = 0;
    this.#socket ??= this.#connect();
    this.#socket.write(this.#options.request(), "latin1");
  }

  #connect(): net.Socket {
    const onread = {
      buffer: this.#buffer,
      callback: (length: number): boolean => {
        this.#length += length;
        if (isWhole(this.#buffer, length)) this.#done(length);
        return true;
      },
    };
    const socket = net.connect({ port: this.#options.port, host: "127.0.0.1", noDelay: true, onread });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      if (this.#busy) this.#done(0);
    });
    return socket;
  }

  #done(length: number): void {
    if (length > 0) {
      const { onAnswer, keepAlive } = this.#options;
      onAnswer(performance.now() - this.#sentMs, peerBytes(this.#buffer.subarray(0, length)));
      if (!keepAlive) {
        this.#socket?.destroy();
        this.#socket = undefined;
      }
    }
    this.#busy = false;
    if (this.#options.isClosed()) return;
    if (this.#options.rate === 0) this.send();
    else if (this.#waiting.length > 0) this.send(this.#waiting.shift());
  }
}

/** Answers are short and come in one piece; one that does not is not counted. */
function isWhole(buffer: Buffer, length: number): boolean {
  return buffer.subarray(0, length).indexOf(HEAD_END) > 0;
}

function peerBytes(answer: Buffer): number {
  const at = answer.indexOf(PEERS);
  return at < 0 ? 0 : Number.parseInt(answer.toString("latin1", at + PEERS.length, at + PEERS.length + 5), 10);
}
