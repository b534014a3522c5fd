/**
 * Local service discovery (BEP 14): tells and hears by multicast who else on the local network has a torrent. Drives; lsd-plan.ts says when.
 *
 * One socket for each address family, shared with other programs at the port. Datagrams leave through each interface at which the peer
 * port listens, with a time to live of 1. Failures of single interfaces are passed over: another one may do.
 */
import { randomBytes } from "node:crypto";
import dgram from "node:dgram";
import { isIPv4, isIPv6 } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { plainAddress } from "../../system/addresses.ts";
import type { Clock } from "../../system/clock.ts";
import type { Logger } from "../../system/logger.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { FoundPeer } from "./announce.ts";
import { LsdPlan } from "./lsd-plan.ts";
import { encodeSearch, LSD_GROUP_V4, LSD_GROUP_V6, LSD_PORT, parseSearch } from "./lsd-words.ts";

export interface LsdOptions {
  /** Where the peer port listens: on which networks there is something to say. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/** A torrent that is told of on the local network. */
export interface LocalTorrent {
  readonly infoHash: InfoHash;
  /** We have some of it. */
  readonly hasPieces: () => boolean;
  readonly onPeer: (peer: FoundPeer) => void;
}

type Family = 4 | 6;

/** An interface that multicast leaves through: its address (IPv4), or `::%name` (IPv6). */
interface Outlet {
  readonly family: Family;
  readonly via: string;
}

const COOKIE_BYTES = 8;
const MOST_OUTLETS = 16;
const TIME_TO_LIVE = 1;

export class Lsd implements AsyncDisposable {
  readonly #options: LsdOptions;
  readonly #plan = new LsdPlan();
  readonly #torrents = new Map<InfoHash, LocalTorrent>();
  readonly #cookie = randomBytes(COOKIE_BYTES).toString("hex");
  readonly #sockets = new Map<Family, dgram.Socket>();
  #opening: Promise<unknown> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LsdOptions) {
    this.#options = options;
  }

  /** Announces the torrent now and then, and brings who announces it too, until the answer is disposed of. */
  join(torrent: LocalTorrent): Disposable & { hurry(): void } {
    const { infoHash } = torrent;
    this.#torrents.set(infoHash, torrent);
    this.#opening ??= this.#open();
    void this.#opening.then(() => {
      if (this.#closed || this.#torrents.get(infoHash) !== torrent) return;
      this.#plan.add(infoHash, this.#nowMs);
      this.#schedule();
    });
    return {
      hurry: () => {
        this.#plan.hurry(infoHash, this.#nowMs);
        this.#schedule();
      },
      [Symbol.dispose]: () => {
        if (this.#torrents.get(infoHash) !== torrent) return;
        this.#torrents.delete(infoHash);
        this.#plan.delete(infoHash);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#opening;
    await Promise.all([...this.#sockets.values()].map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
    this.#sockets.clear();
  }

  get #nowMs(): number {
    return this.#options.clock.nowMs();
  }

  async #open(): Promise<void> {
    const families = new Set(this.#outlets().map(({ family }) => family));
    for (const family of families) {
      try {
        this.#sockets.set(family, await this.#bind(family));
      } catch (error) {
        this.#options.logger.warn({ err: error, family }, "local service discovery is not possible");
      }
    }
  }

  async #bind(family: Family): Promise<dgram.Socket> {
    const socket = dgram.createSocket({ type: family === 4 ? "udp4" : "udp6", reuseAddr: true, ipv6Only: family === 6 });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    socket.bind(LSD_PORT, resolve);
    try {
      await promise;
    } catch (error) {
      socket.close();
      throw error;
    }
    socket.on("error", () => undefined);
    socket.setMulticastTTL(TIME_TO_LIVE);
    socket.on("message", (datagram, sender) => this.#onDatagram(datagram, sender.address));
    return socket;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const delayMs = this.#plan.nextMs(this.#nowMs);
    if (delayMs === undefined || this.#closed) return;
    this.#timer = setTimeout(() => this.#send(), delayMs);
    this.#timer.unref();
  }

  #send(): void {
    const { infoHashes, isAnswer } = this.#plan.take(this.#nowMs);
    if (infoHashes.length > 0) for (const outlet of this.#outlets()) this.#sendThrough(outlet, { infoHashes, isAnswer });
    this.#schedule();
  }

  #sendThrough({ family, via }: Outlet, what: ReturnType<LsdPlan["take"]>): void {
    const socket = this.#sockets.get(family);
    if (socket === undefined) return;
    const group = family === 4 ? LSD_GROUP_V4 : LSD_GROUP_V6;
    const { port } = this.#options.listen;
    try {
      // interfaces come and go: joined each time, which is nothing where it is already
      join(socket, group, via);
      socket.setMulticastInterface(via);
      socket.send(encodeSearch({ ...what, group, port, cookie: this.#cookie }), LSD_PORT, group);
    } catch (error) {
      this.#options.logger.debug({ err: error, via }, "an interface takes no multicast");
    }
  }

  #onDatagram(datagram: Buffer, address: string): void {
    const nowMs = this.#nowMs;
    if (!this.#plan.mayRead(nowMs)) return;
    const search = parseSearch(datagram);
    if (search === undefined || search.cookie === this.#cookie) return;
    for (const infoHash of search.infoHashes) {
      const torrent = this.#torrents.get(infoHash);
      if (torrent === undefined) continue;
      const heard = { isAnswer: search.isAnswer, hasPieces: torrent.hasPieces(), nowMs, random: this.#options.random() };
      if (!this.#plan.onHeard(infoHash, heard)) continue;
      torrent.onPeer({ host: plainAddress(address), port: search.port });
    }
    this.#schedule();
  }

  #outlets(): Outlet[] {
    const { host } = this.#options.listen;
    const outlets = new Map<string, Outlet>();
    for (const [name, addresses] of Object.entries(networkInterfaces())) {
      for (const info of addresses ?? []) {
        const outlet: Outlet = info.family === "IPv4" ? { family: 4, via: info.address } : { family: 6, via: `::%${name}` };
        if (listensAt(host, info)) outlets.set(outlet.via, outlet);
      }
    }
    return [...outlets.values()].slice(0, MOST_OUTLETS);
  }
}

/** Whether the peer port can be reached at this address of ours. */
function listensAt(host: string, { address, family }: NetworkInterfaceInfo): boolean {
  if (host === "::") return true;
  if (host === "0.0.0.0") return family === "IPv4";
  if (isIPv4(host) || isIPv6(host)) return address === host;
  return host === "localhost" && address === "127.0.0.1";
}

/** Joined before is joined. */
function join(socket: dgram.Socket, group: string, via: string): void {
  try {
    socket.addMembership(group, via);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
  }
}
