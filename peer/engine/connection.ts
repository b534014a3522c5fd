/**
 * One connection to a peer: handshake, then messages in and out. Drives the socket; knows nothing of pieces.
 * TCP is what it is made for; over() takes any other stream (WebRTC) to a peer that was met elsewhere.
 *
 * Reading goes through `onread` into one buffer shared by all connections, which is safe because WireParser consumes
 * every byte before the callback returns. Accepted sockets are wrapped anew for that: net.Server has no `onread`
 * (measured on loopback: 0.6 s of user CPU for 3 GB with data events, 0.1 s so).
 * Before the handshake there may be an encrypted one (mse/), of which at most a cipher for each direction stays; a plain connection
 * pays one comparison a read and a write for that.
 * Writing waits for the end of the turn of the event loop: all that many sockets and threads brought about becomes one system call
 * for each connection, small messages joined into one buffer.
 */
import net from "node:net";
import type { Duplex } from "node:stream";
import { SkimmerError } from "../../system/errors.ts";
import type { MetPeer } from "./met-peer.ts";
import type { MseDesk } from "./mse/mse-desk.ts";
import type { Opening, StreamCiphers } from "./mse/mse-keys.ts";
import { encodeHandshake, HANDSHAKE_BYTES, type Handshake, parseHandshake } from "./wire/handshake.ts";
import { KEEP_ALIVE } from "./wire/messages.ts";
import { type WireHandler, type WireLimits, WireParser } from "./wire/wire-parser.ts";

const READ_BUFFER_BYTES = 1024 * 1024;
/** What may wait for a peer that does not read; more, and the connection ends. A torrent's longest message comes on top. */
const MOST_UNSENT_BYTES = 4 * 1024 * 1024;
let sharedReadBuffer: Buffer | undefined;
/** Connections with something queued in this turn. */
let corked: Connection[] = [];

function uncorkAll(): void {
  const connections = corked;
  corked = [];
  for (const connection of connections) connection.uncork();
}

/** webrtc: nobody can dial where its bytes come from. */
export type Transport = "tcp" | "webrtc";

/** Who owns the connection. */
export interface ConnectionOwner {
  /** Their handshake is here. Answers the parser's handler, or undefined to end the connection. */
  onHandshake(connection: Connection, handshake: Handshake): { handler: WireHandler; limits: WireLimits } | undefined;
  /** Once, however it ended. */
  onClose(connection: Connection, reason: string): void;
  /** Handling the peer's bytes failed: it broke the protocol (SkimmerError), or a fault of ours. The end of this connection only. */
  onFault(connection: Connection, error: unknown): void;
  /** The socket took all that was written. */
  onDrain(connection: Connection): void;
}

/** A peer connection; begins with the handshake in both directions. */
export class Connection {
  readonly incoming: boolean;
  readonly transport: Transport;
  host: string;
  port: number;
  lastReadMs = 0;
  lastWriteMs = 0;
  readonly #owner: ConnectionOwner;
  readonly #socket: Duplex;
  readonly #nowMs: () => number;
  readonly #encryption: MseDesk | undefined;
  /** The encrypted handshake, while it lasts. */
  #opening: Opening | undefined;
  #ciphers: StreamCiphers | undefined;
  #handshake = Buffer.alloc(0);
  #parser: WireParser | undefined;
  /** Small messages of this turn that are not in the socket yet. */
  #small: Buffer[] = [];
  #smallBytes = 0;
  #mostUnsentBytes = MOST_UNSENT_BYTES;
  /** What waited at the last look, and when it last became less. */
  #unsentBytes = 0;
  #tookMs: number;
  #corked = false;
  #closeReason = "";
  #closed = false;

  private constructor(
    options: {
      owner: ConnectionOwner;
      nowMs: () => number;
      transport: Transport;
      incoming: boolean;
      host: string;
      port: number;
      encryption?: MseDesk;
    },
    open: (onread: net.OnReadOpts) => Duplex,
  ) {
    this.#owner = options.owner;
    this.#nowMs = options.nowMs;
    this.incoming = options.incoming;
    this.transport = options.transport;
    this.host = options.host;
    this.port = options.port;
    this.#encryption = options.encryption;
    if (options.incoming) this.#opening = options.encryption?.incoming(options.host, options.nowMs);
    this.lastReadMs = this.lastWriteMs = this.#tookMs = options.nowMs();
    sharedReadBuffer ??= Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
    this.#socket = open({ buffer: sharedReadBuffer, callback: (length, buffer) => this.#read(length, buffer as Buffer) });
    this.#socket.on("error", (error) => this.close(error.message));
    this.#socket.on("end", () => this.close("closed by the peer"));
    this.#socket.on("close", () => this.#ended());
    this.#socket.on("drain", () => this.#owner.onDrain(this));
  }

  /** Dials a peer; `onConnect` is called once the TCP connection stands, and sends the handshake: encrypted where there is `encryption`. */
  static dial(options: {
    owner: ConnectionOwner;
    nowMs: () => number;
    host: string;
    port: number;
    encryption?: MseDesk;
    onConnect: (connection: Connection) => void;
  }): Connection {
    const connection: Connection = new Connection({ ...options, transport: "tcp", incoming: false }, (onread) =>
      net.connect({ host: options.host, port: options.port, noDelay: true, onread }),
    );
    connection.#socket.once("connect", () => options.onConnect(connection));
    return connection;
  }

  /** Takes over a socket accepted with pauseOnConnect. Without `encryption` only plain handshakes are understood. */
  static accept(options: { owner: ConnectionOwner; nowMs: () => number; socket: net.Socket; encryption?: MseDesk }): Connection {
    const { socket } = options;
    const host = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
    const place = { host, port: socket.remotePort ?? 0 };
    return new Connection({ ...options, ...place, transport: "tcp", incoming: true }, (onread) => rewrap(socket, onread));
  }

  /** Takes over the stream to a peer that was met; its handshakes are plain, since the stream is encrypted itself. */
  static over({ stream, host, port, incoming }: MetPeer, options: { owner: ConnectionOwner; nowMs: () => number }): Connection {
    const connection = new Connection({ ...options, transport: "webrtc", host, port, incoming }, () => stream);
    stream.on("data", (bytes: Buffer) => connection.#read(bytes.length, bytes));
    return connection;
  }

  get closed(): boolean {
    return this.#closed || this.#closeReason !== "";
  }

  /** Bytes that wait in this process because the kernel did not take them yet. */
  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  sendHandshake(us: Parameters<typeof encodeHandshake>[0]): void {
    const handshake = encodeHandshake(us);
    if (this.incoming || this.#encryption === undefined) return this.send(handshake);
    const opening = this.#encryption.outgoing(us.infoHash, handshake);
    this.#opening = opening;
    this.send(opening.begin());
  }

  /** Says who we are and ends the connection: who dialled learns whom it reached, and that no other handshake is wanted. */
  decline(us: Parameters<typeof encodeHandshake>[0]): undefined {
    this.#closeReason = "connected already, or to ourselves";
    if (!this.incoming) return void this.#socket.destroy();
    const handshake = encodeHandshake(us);
    this.#socket.end(this.#ciphers === undefined ? handshake : this.#ciphers.outgoing.applied(handshake), () => this.#socket.destroy());
  }

  /** For how long the peer has taken nothing of what waits for it; to be asked a few times a second. */
  unreadMs(nowMs: number): number {
    const { writableLength } = this.#socket;
    if (writableLength === 0 || writableLength < this.#unsentBytes) this.#tookMs = nowMs;
    this.#unsentBytes = writableLength;
    return nowMs - this.#tookMs;
  }

  /** Queues a whole message; everything queued in one turn leaves in one system call. */
  send(message: Buffer): void {
    if (this.closed) return;
    this.#cork();
    this.#small.push(message);
    this.#smallBytes += message.length;
    if (this.#smallBytes > this.#mostUnsentBytes) this.close("peer does not read what it asks for");
  }

  /** Queues a message that nobody waits for: it leaves with the next one, or at flush(). */
  sendAlong(message: Buffer): void {
    if (this.closed) return;
    this.#small.push(message);
    this.#smallBytes += message.length;
  }

  /** What sendAlong() queued leaves. */
  flush(): void {
    if (this.#small.length > 0 && !this.closed) this.#cork();
  }

  /** Queues a block: header, then the view of a pooled piece, which `onWritten` gives back. */
  sendBlock(header: Buffer, block: Buffer, onWritten: () => void): void {
    if (this.closed) {
      onWritten();
      return;
    }
    this.#cork();
    this.#small.push(header);
    this.#writeSmall();
    if (this.#ciphers === undefined) this.#socket.write(block, onWritten);
    else this.#writeEncrypted(this.#ciphers.outgoing.applied(block), onWritten);
  }

  #writeEncrypted(copy: Buffer, onWritten: () => void): void {
    this.#socket.write(copy);
    onWritten();
  }

  /** The block that is being received is not wanted any more. */
  dropBlock(): void {
    this.#parser?.dropBlock();
  }

  sendKeepAlive(): void {
    this.send(KEEP_ALIVE);
  }

  /** Ends the connection at once; the owner hears of it through onClose. */
  close(reason: string): void {
    if (this.closed) return;
    this.#closeReason = reason;
    this.#socket.destroy();
  }

  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    this.lastWriteMs = this.#nowMs();
    if (corked.push(this) === 1) setImmediate(uncorkAll);
  }

  /** The turn is over: what was queued leaves. */
  uncork(): void {
    this.#corked = false;
    this.#writeSmall();
    this.#socket.uncork();
    if (this.#socket.writableLength > this.#mostUnsentBytes) this.close("peer does not read what it asks for");
  }

  #writeSmall(): void {
    const messages = this.#small;
    if (messages.length === 0) return;
    this.#small = [];
    this.#smallBytes = 0;
    if (this.#socket.destroyed) return;
    const joined = messages.length === 1 ? messages[0] : Buffer.concat(messages);
    this.#socket.write(this.#ciphers === undefined ? joined : this.#ciphers.outgoing.applied(joined));
  }

  #read(length: number, buffer: Buffer): boolean {
    this.lastReadMs = this.#nowMs();
    if (this.closed) return true;
    try {
      this.#ciphers?.incoming.apply(buffer, length);
      if (this.#parser !== undefined) this.#parser.feed(buffer, length);
      else if (this.#opening === undefined) this.#readHandshake(buffer.subarray(0, length));
      else this.#readOpening(this.#opening, buffer.subarray(0, length));
    } catch (error) {
      this.#owner.onFault(this, error);
      this.close(error instanceof SkimmerError ? error.message : "internal error");
    }
    return true;
  }

  /** What comes before the handshake; it goes on from there with what the peer sent besides. */
  #readOpening(opening: Opening, bytes: Buffer): void {
    const step = opening.feed(bytes);
    if (step.reply !== undefined) this.send(step.reply);
    if (step.kind === "more") return;
    this.#opening = undefined;
    // what is queued was encrypted by the opening itself
    this.#writeSmall();
    this.#ciphers = step.ciphers;
    this.#readHandshake(step.bytes);
  }

  /** Collects 68 bytes; what follows them are messages. */
  #readHandshake(bytes: Buffer): void {
    const wanted = HANDSHAKE_BYTES - this.#handshake.length;
    this.#handshake = Buffer.concat([this.#handshake, bytes.subarray(0, wanted)]);
    if (this.#handshake.length < HANDSHAKE_BYTES) return;
    const handshake = parseHandshake(this.#handshake);
    if (handshake === undefined) throw new SkimmerError("protocol", "no BitTorrent handshake");
    const accepted = this.#owner.onHandshake(this, handshake);
    if (accepted === undefined) return this.close("handshake refused");
    this.#parser = new WireParser(accepted.handler, accepted.limits);
    this.#mostUnsentBytes += accepted.limits.messageBytes;
    const rest = bytes.subarray(wanted);
    if (rest.length > 0 && !this.closed) this.#parser.feed(rest, rest.length);
  }

  #ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.onClose(this, this.#closeReason || "closed");
  }
}

/** A new socket over the accepted handle, with onread; the old one gives the handle up. */
function rewrap(socket: net.Socket, onread: net.OnReadOpts): net.Socket {
  const bare = socket as unknown as { _handle: unknown; _server: unknown; server: unknown };
  const handle = bare._handle;
  const server = bare._server;
  bare._handle = null;
  bare._server = null;
  const wrapped = new net.Socket({ handle, onread } as unknown as net.SocketConstructorOpts);
  Object.assign(wrapped, { _server: server, server });
  wrapped.setNoDelay(true);
  wrapped.resume();
  return wrapped;
}
