/**
 * Known peer addresses of one torrent: whom to dial when. Decides: time is an argument.
 * Invariant: at most MOST_KNOWN addresses; a banned address is never handed out before its ban ends.
 */
import type { InfoHash } from "../../torrents/ids.ts";

export interface KnownPeer {
  readonly host: string;
  readonly port: number;
  /** In whose swarm it was met: the hash to shake hands with. */
  readonly infoHash: InfoHash;
  failures: number;
  nextDialMs: number;
  busy: boolean;
}

const MOST_KNOWN = 1000;
const MOST_FAILURES = 6;
const FIRST_DELAY_MS = 500;
const MOST_DELAY_MS = 30_000;
/** Stays what it is however often one is added. */
const FORGOTTEN = Number.POSITIVE_INFINITY;
const BAN_MS = 30 * 60_000;
const MOST_BANS = 1000;

export class AddressBook {
  readonly #peers = new Map<string, KnownPeer>();
  readonly #bans = new Map<string, number>();

  get bannedCount(): number {
    return this.#bans.size;
  }

  /** Adds an address; one that is known and was given up gets one more chance. */
  add(peer: { host: string; port: number; infoHash: InfoHash }): void {
    const key = keyOf(peer);
    const known = this.#peers.get(key);
    if (known !== undefined) {
      if (isDead(known)) known.failures = MOST_FAILURES - 1;
      return;
    }
    if (this.#peers.size >= MOST_KNOWN && !this.#dropDead()) return;
    this.#peers.set(key, { ...peer, failures: 0, nextDialMs: 0, busy: false });
  }

  /** Addresses to dial now, at most `count`; they are busy from here on. */
  take(count: number, nowMs: number): KnownPeer[] {
    const taken: KnownPeer[] = [];
    for (const peer of this.#peers.values()) {
      if (taken.length >= count) break;
      if (peer.busy || peer.failures >= MOST_FAILURES || peer.nextDialMs > nowMs || this.isBanned(`${peer.host} ${peer.port}`, nowMs))
        continue;
      peer.busy = true;
      taken.push(peer);
    }
    return taken;
  }

  /** The connection to it ended; `worked` tells whether there was a handshake. */
  release(peer: KnownPeer, worked: boolean, nowMs: number): void {
    peer.busy = false;
    peer.failures = worked ? 1 : peer.failures + 1;
    peer.nextDialMs = nowMs + Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** peer.failures);
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

  /** Bans a peer id, or `HOST PORT` (several peers may share a host), for half an hour. */
  ban(who: string, nowMs: number): void {
    if (this.#bans.size >= MOST_BANS) this.#bans.delete(this.#bans.keys().next().value as string);
    this.#bans.set(who, nowMs + BAN_MS);
  }

  isBanned(who: string, nowMs: number): boolean {
    const until = this.#bans.get(who);
    if (until === undefined || until > nowMs) return until !== undefined;
    this.#bans.delete(who);
    return false;
  }
}

/** Tried often enough, in vain. */
function isDead(peer: KnownPeer): boolean {
  return !peer.busy && peer.failures >= MOST_FAILURES && peer.failures !== FORGOTTEN;
}

function keyOf(peer: { host: string; port: number; infoHash: InfoHash }): string {
  return `${peer.host} ${peer.port} ${peer.infoHash}`;
}
