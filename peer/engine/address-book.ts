/**
 * Known peer addresses of one torrent: whom to dial when. Decides: time is an argument.
 * A torrent without any connection has nothing to lose: it dials again much sooner than one that has others.
 * Invariant: at most MOST_KNOWN addresses; a banned address is not handed out.
 */
import type { InfoHash } from "../../torrents/ids.ts";

export interface KnownPeer {
  readonly host: string;
  readonly port: number;
  /** In whose swarm it was met: the hash to shake hands with. */
  readonly infoHash: InfoHash;
  failures: number;
  /** When the last connection to it ended. */
  endedMs: number;
  busy: boolean;
}

export interface DialFacts {
  readonly nowMs: number;
  /** Nobody is connected. */
  readonly isAlone: boolean;
  isBanned(host: string, port: number): boolean;
}

const MOST_KNOWN = 1000;
const MOST_FAILURES = 6;
const FIRST_DELAY_MS = 500;
const MOST_DELAY_MS = 30_000;
/** The same where nobody is connected. */
const MOST_DELAY_ALONE_MS = 2_000;
/** Stays what it is however often one is added. */
const FORGOTTEN = Number.POSITIVE_INFINITY;

export class AddressBook {
  readonly #peers = new Map<string, KnownPeer>();

  /** Adds an address; one that is known and was given up gets one more chance. */
  add(peer: { host: string; port: number; infoHash: InfoHash }): void {
    const key = keyOf(peer);
    const known = this.#peers.get(key);
    if (known !== undefined) {
      if (isDead(known)) known.failures = MOST_FAILURES - 1;
      return;
    }
    if (this.#peers.size >= MOST_KNOWN && !this.#dropDead()) return;
    this.#peers.set(key, { ...peer, failures: 0, endedMs: Number.NEGATIVE_INFINITY, busy: false });
  }

  /** Addresses to dial now, at most `count`; they are busy from here on. */
  take(count: number, facts: DialFacts): KnownPeer[] {
    const taken: KnownPeer[] = [];
    for (const peer of this.#peers.values()) {
      if (taken.length >= count) break;
      const isDue = peer.endedMs + delayMs(peer, facts.isAlone) <= facts.nowMs;
      if (peer.busy || peer.failures >= MOST_FAILURES || !isDue || facts.isBanned(peer.host, peer.port)) continue;
      peer.busy = true;
      taken.push(peer);
    }
    return taken;
  }

  /** The connection to it ended; `worked` tells whether there was a handshake. */
  release(peer: KnownPeer, worked: boolean, nowMs: number): void {
    peer.busy = false;
    peer.failures = worked ? 1 : peer.failures + 1;
    peer.endedMs = nowMs;
  }

  /** Never dial this address again (it is ourselves, or somebody that we are connected to). */
  forget(peer: KnownPeer): void {
    peer.failures = FORGOTTEN;
    peer.busy = false;
  }

  /** Makes room; a liar's invented addresses must not keep all others out. False where none is dead. */
  #dropDead(): boolean {
    for (const [key, peer] of this.#peers) if (isDead(peer)) return this.#peers.delete(key);
    return false;
  }
}

function delayMs({ failures }: KnownPeer, isAlone: boolean): number {
  return Math.min(isAlone ? MOST_DELAY_ALONE_MS : MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);
}

/** Tried often enough, in vain. */
function isDead(peer: KnownPeer): boolean {
  return !peer.busy && peer.failures >= MOST_FAILURES && peer.failures !== FORGOTTEN;
}

function keyOf(peer: { host: string; port: number; infoHash: InfoHash }): string {
  return `${peer.host} ${peer.port} ${peer.infoHash}`;
}
