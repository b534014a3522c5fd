/**
 * The UDP tracker (BEP 15, 41) on a socket of its own. Drives.
 *
 * Nothing is sent to who has not shown that he receives at his address, apart from connection ids, which are as long as what asks for
 * them. Wrong connection ids get no answer: clients ask for a new one. Invariant: no datagram throws; what the kernel does not take is dropped.
 */
import { randomBytes } from "node:crypto";
import dgram, { type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import type { Logger } from "../../system/logger.ts";
import { type Ask, emptyAsk, setAddress } from "../swarm/ask.ts";
import { type AnnounceDesk, UNKNOWN_TORRENT } from "./announce-desk.ts";
import { ConnectionIds } from "./connection-ids.ts";
import { emptyHttpAnnounce, readHttpAnnounce } from "./http-query.ts";
import { UdpOutbox } from "./udp-outbox.ts";
import {
  ACTION,
  CONNECT_BYTES,
  kindOfDatagram,
  readUdpAnnounce,
  readUdpScrape,
  readUrlOption,
  writeUdpAnswer,
  writeUdpError,
  writeUdpScrape,
} from "./udp-packets.ts";

/** For bursts; the system may give less. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

export class UdpFront implements AsyncDisposable {
  readonly #desk: AnnounceDesk;
  readonly #socket: dgram.Socket;
  readonly #outbox: UdpOutbox;
  readonly #ids = new ConnectionIds(() => new Int32Array(new Uint8Array(randomBytes(16)).buffer));
  readonly #ask: Ask = emptyAsk();

  private constructor(desk: AnnounceDesk, socket: dgram.Socket) {
    this.#desk = desk;
    this.#socket = socket;
    this.#outbox = new UdpOutbox(socket);
  }

  /** Binds one; rejects with the socket's error (EADDRINUSE). An IPv6 socket on :: gets IPv4 too. */
  static async bind(options: { desk: AnnounceDesk; logger: Logger; host: string; port: number }): Promise<UdpFront> {
    // addresses are never looked up: the sender's is one
    const lookup = (host: string, family: number, done: (error: null, address: string, family: number) => void): void =>
      done(null, host, family);
    const socket = dgram.createSocket({ type: isIPv6(options.host) ? "udp6" : "udp4", lookup: lookup as never });
    // with that lookup it may listen before bind() returns
    const listening = once(socket, "listening");
    socket.bind(options.port, options.host);
    await listening;
    for (const set of [() => socket.setRecvBufferSize(SOCKET_BUFFER_BYTES), () => socket.setSendBufferSize(SOCKET_BUFFER_BYTES)])
      attempt(set);
    const front = new UdpFront(options.desk, socket);
    socket.on("error", (error) => options.logger.warn({ err: error.message }, "UDP tracker error"));
    socket.on("message", (message, remote) => {
      const answer = front.#answer(message, remote);
      if (answer !== undefined) front.#outbox.put(answer, remote);
    });
    return front;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#outbox[Symbol.dispose]();
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #answer(message: Buffer, remote: RemoteInfo): Buffer | undefined {
    const kind = kindOfDatagram(message);
    const ask = this.#ask;
    if (kind === "bad" || remote.port === 0 || !setAddress(ask, remote.address)) return undefined;
    const nowMs = this.#desk.clock.nowMs();
    if (kind === "connect") {
      const answer = Buffer.allocUnsafe(CONNECT_BYTES);
      answer.writeUInt32BE(ACTION.connect, 0);
      message.copy(answer, 4, 12, 16);
      this.#ids.write(ask.addressWords, nowMs, answer, 8);
      return answer;
    }
    if (!this.#ids.check(ask.addressWords, nowMs, message, 0)) return undefined;
    return kind === "announce" ? this.#announce(message, ask) : writeUdpScrape(message, this.#counts(message, ask));
  }

  #announce(message: Buffer, ask: Ask): Buffer {
    if (!readUdpAnnounce(message, ask)) return writeUdpError(message, "malformed announce");
    ask.site = 0;
    const handOut = this.#desk.announce(ask, pathOf(message), "udp");
    if (handOut === undefined) return writeUdpError(message, UNKNOWN_TORRENT);
    return writeUdpAnswer(message, handOut, { intervalS: this.#desk.intervalS, family: ask.v6 ? 6 : 4 });
  }

  /** In the order that was asked for; zeros for what is not served. */
  #counts(message: Buffer, ask: Ask): { complete: number; downloaded: number; incomplete: number }[] {
    const none = { complete: 0, downloaded: 0, incomplete: 0 };
    const hashes = readUdpScrape(message);
    const rows = new Map(this.#desk.scrape(hashes, "", ask).map((row) => [row.hash, row]));
    return hashes.map((hash) => rows.get(hash) ?? none);
  }
}

function pathOf(message: Buffer): string {
  const url = readUrlOption(message);
  if (url === "") return "";
  const read = emptyHttpAnnounce();
  const bytes = Buffer.from(url, "latin1");
  // only for its path: the rest of an announce is in the datagram
  readHttpAnnounce(bytes, 0, bytes.length, read);
  return read.path;
}

function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // a smaller buffer only loses more in bursts
  }
}
