/**
 * A peer that says what it likes: raw bytes after, or in place of, a BitTorrent handshake. For tests of what a daemon endures.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { encodeHandshake, HANDSHAKE_BYTES } from "../../peer/engine/wire/handshake.ts";
import type { InfoHash, PeerId } from "../../torrents/ids.ts";

/** Whom to annoy. */
export interface Target {
  readonly port: number;
  readonly infoHash: InfoHash;
  /** The address that it is called from. */
  readonly from?: string;
}

/** Annoys until the signal; never throws for what the target does. */
export type Attack = (target: Target, signal: AbortSignal) => Promise<void>;

export interface RawPeer extends Disposable {
  readonly socket: net.Socket;
  readonly closed: boolean;
  /** Writes, and waits while the target does not take it. */
  write(bytes: Buffer): Promise<void>;
  /** The connection ended, or so many milliseconds passed. */
  ended(withinMs: number): Promise<void>;
}

/** Connects. `reads` false: nothing of what comes is read. */
export async function rawPeer(target: Target, reads = true): Promise<RawPeer> {
  const socket = net.connect({ host: "127.0.0.1", port: target.port, localAddress: target.from });
  socket.on("error", () => undefined);
  if (reads) socket.resume();
  else socket.pause();
  const closed = once(socket, "close").catch(() => undefined);
  await Promise.race([once(socket, "connect").catch(() => undefined), closed]);
  return {
    socket,
    get closed() {
      return socket.destroyed;
    },
    write: async (bytes) => {
      if (!socket.destroyed && !socket.write(bytes))
        await Promise.race([once(socket, "drain").catch(() => undefined), closed, pause(2000)]);
    },
    ended: async (withinMs) => void (await Promise.race([closed, pause(withinMs)])),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** Connects and shakes hands under a new peer id. */
export async function greetedPeer(target: Target, reads = true): Promise<RawPeer> {
  const peer = await rawPeer(target, reads);
  await peer.write(encodeHandshake({ infoHash: target.infoHash, peerId: newPeerId() }));
  return peer;
}

/** The peer id that the target shakes hands with. */
export async function peerIdOf(target: Target): Promise<PeerId> {
  using peer = await rawPeer(target, false);
  await peer.write(encodeHandshake({ infoHash: target.infoHash, peerId: newPeerId() }));
  let seen = Buffer.alloc(0);
  const signal = AbortSignal.timeout(5000);
  while (seen.length < HANDSHAKE_BYTES) {
    await once(peer.socket, "readable", { signal });
    seen = Buffer.concat([seen, (peer.socket.read() as Buffer | null) ?? Buffer.alloc(0)]);
  }
  return seen.toString("hex", 48, 68) as PeerId;
}

export function newPeerId(): PeerId {
  return Buffer.concat([Buffer.from("-EV0000-"), randomBytes(12)]).toString("hex") as PeerId;
}

/** An attack that does the same over and over on connections of its own, `sockets` at once. */
export function repeated(once: (target: Target, signal: AbortSignal) => Promise<void>, sockets = 4): Attack {
  const loop = async (target: Target, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await once(target, signal);
      await pause(20);
    }
  };
  return async (target, signal) => void (await Promise.all(Array.from({ length: sockets }, () => loop(target, signal))));
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
