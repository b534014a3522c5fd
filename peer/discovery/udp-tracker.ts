/**
 * Announces over UDP (BEP 15). Drives one socket for each address family, opened when first needed.
 *
 * An answer counts only from the address that was asked and with its random transaction number. Unanswered datagrams are sent again
 * until the caller's patience ends. Invariant: at most MOST_WAITING questions are open.
 */
import dgram from "node:dgram";
import { lookup } from "node:dns/promises";
import { plainAddress } from "../../system/addresses.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { Announce, AnnounceAnswer } from "./announce.ts";
import { firstToSucceed } from "./first-to-succeed.ts";
import { encodeAnnounce, encodeConnect, readReply, transactionOf, type UdpReply } from "./udp-words.ts";

export interface UdpTrackersOptions {
  readonly nowMs: () => number;
  readonly random: () => number;
}

interface Place {
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
}

interface Waiting {
  readonly place: Place;
  readonly settle: PromiseWithResolvers<UdpReply>;
}

/** BEP 15 says 15 s; a datagram that is lost costs less so, and the growth is the same. */
const FIRST_RESEND_MS = 3_000;
/** BEP 15: a connection id holds for a minute. */
const CONNECTION_LIFE_MS = 55_000;
const MOST_CONNECTIONS = 200;
const MOST_WAITING = 500;
/** The other address family is tried as well after this. */
const STAGGER_MS = 2_000;
const DEFAULT_PORT = 80;

export class UdpTrackers implements AsyncDisposable {
  readonly #options: UdpTrackersOptions;
  readonly #key: number;
  readonly #sockets = new Map<4 | 6, dgram.Socket>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #connections = new Map<string, { readonly id: Buffer; readonly untilMs: number }>();

  constructor(options: UdpTrackersOptions) {
    this.#options = options;
    this.#key = this.#random32();
  }

  /** Rejects with SkimmerError `no_supernode` (no such host), or the reason of `signal`. */
  async announce(tracker: string, announce: Announce, signal: AbortSignal): Promise<AnnounceAnswer> {
    const url = new URL(tracker);
    const places = await resolvePlaces(url);
    signal.throwIfAborted();
    const words = { ...announce, key: this.#key, target: `${url.pathname}${url.search}` };
    const attempts = places.map((place) => (inner: AbortSignal) => this.#announceAt(place, words, inner));
    return firstToSucceed(attempts, { staggerMs: STAGGER_MS, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { settle } of this.#waiting.values()) settle.reject(new SkimmerError("cancelled", "the daemon is stopping"));
    this.#waiting.clear();
    await Promise.all([...this.#sockets.values()].map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
    this.#sockets.clear();
  }

  async #announceAt(place: Place, announce: Parameters<typeof encodeAnnounce>[0], signal: AbortSignal): Promise<AnnounceAnswer> {
    const connectionId = await this.#connect(place, signal);
    const reply = await this.#ask(place, (transaction) => encodeAnnounce(announce, connectionId, transaction), signal).catch(
      (thrown: unknown) => {
        this.#connections.delete(keyOf(place));
        throw thrown;
      },
    );
    if (reply.kind === "announced") return reply.answer;
    this.#connections.delete(keyOf(place));
    if (reply.kind === "connected") throw unexpected();
    return { peers: [], intervalS: undefined, minIntervalS: undefined, failure: reply.failure };
  }

  async #connect(place: Place, signal: AbortSignal): Promise<Buffer> {
    const known = this.#connections.get(keyOf(place));
    if (known !== undefined && known.untilMs > this.#options.nowMs()) return known.id;
    const reply = await this.#ask(place, encodeConnect, signal);
    if (reply.kind !== "connected") throw unexpected();
    this.#connections.delete(keyOf(place));
    if (this.#connections.size >= MOST_CONNECTIONS) this.#connections.delete(this.#connections.keys().next().value as string);
    this.#connections.set(keyOf(place), { id: reply.connectionId, untilMs: this.#options.nowMs() + CONNECTION_LIFE_MS });
    return reply.connectionId;
  }

  /** Sends until there is an answer, or `signal` aborts. */
  async #ask(place: Place, encode: (transaction: number) => Buffer, signal: AbortSignal): Promise<UdpReply> {
    signal.throwIfAborted();
    if (this.#waiting.size >= MOST_WAITING) throw new SkimmerError("busy", "too many UDP trackers are being asked", { retriable: true });
    const socket = this.#socket(place.family);
    let transaction = this.#random32();
    while (this.#waiting.has(transaction)) transaction = this.#random32();
    const settle = Promise.withResolvers<UdpReply>();
    const datagram = encode(transaction);
    let timer: NodeJS.Timeout | undefined;
    const send = (afterMs: number): void => {
      socket.send(datagram, place.port, place.address, (cause) => {
        if (cause !== null) settle.reject(unreachable(place.address, cause));
      });
      timer = setTimeout(() => send(afterMs * 2), afterMs);
    };
    const onAbort = (): void => settle.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.set(transaction, { place, settle });
    send(FIRST_RESEND_MS);
    try {
      return await settle.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      this.#waiting.delete(transaction);
    }
  }

  #socket(family: 4 | 6): dgram.Socket {
    const open = this.#sockets.get(family);
    if (open !== undefined) return open;
    const socket = dgram.createSocket({ type: family === 4 ? "udp4" : "udp6", ipv6Only: family === 6 });
    socket.on("error", () => undefined);
    socket.on("message", (datagram, sender) => this.#onDatagram(datagram, { address: sender.address, family, port: sender.port }));
    this.#sockets.set(family, socket);
    return socket;
  }

  #onDatagram(datagram: Buffer, sender: Place): void {
    const waiting = this.#waiting.get(transactionOf(datagram) ?? -1);
    if (waiting === undefined || keyOf(waiting.place) !== keyOf(sender)) return;
    const reply = readReply(datagram, sender.family);
    if (reply !== undefined) waiting.settle.resolve(reply);
  }

  #random32(): number {
    return Math.floor(this.#options.random() * 2 ** 32);
  }
}

/** One address of each family, IPv4 first. */
async function resolvePlaces(url: URL): Promise<Place[]> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || DEFAULT_PORT);
  const found = await lookup(host, { all: true }).catch((cause: Error) => {
    throw unreachable(host, cause);
  });
  return ([4, 6] as const).flatMap((family) => {
    const first = found.find((address) => address.family === family);
    return first === undefined ? [] : [{ address: first.address, family, port }];
  });
}

function keyOf({ address, port }: Place): string {
  return `${plainAddress(address)} ${port}`;
}

function unreachable(host: string, cause: Error): SkimmerError {
  return new SkimmerError("no_supernode", `the tracker at ${host} cannot be reached: ${cause.message}`, { retriable: true, cause });
}

function unexpected(): SkimmerError {
  return new SkimmerError("protocol", "the tracker answered something else than was asked");
}
