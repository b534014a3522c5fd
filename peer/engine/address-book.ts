/**
 * Known peer addresses of one torrent: whom to dial when, and under which of the torrent's info hashes. Decides: time is an argument.
 * A torrent without any connection has nothing to lose: it dials again much sooner than one that has others. Peers of a torrent that is
 * live and final are told of by others that need not know which hash they go by: after each failure the next one is tried.
 * Invariant: at most MOST_KNOWN addresses; a banned address is not handed out.
 */
import type { InfoHash } from "../../torrents/ids.ts";

export interface KnownPeer {
  readonly host: string;
  readonly port: number;
  /** The hash to shake hands with: in whose swarm it was met, or one that is left to try. */
  infoHash: InfoHash;
  /** All that it may answer to. */
  readonly infoHashes: InfoHash[];
  /** There was a handshake: then it keeps its hash. */
  worked: boolean;
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

  /** Adds an address, or one more hash to a known one, which gets one more chance where it was given up. */
  add(peer: { host: string; port: number; infoHash: InfoHash }): void {
    const key = keyOf(peer);
    const { infoHash } = peer;
    const known = this.#peers.get(key);
    if (known !== undefined) {
      if (!known.infoHashes.includes(infoHash)) known.infoHashes.push(infoHash);
      if (!isDead(known)) return;
      known.failures = MOST_FAILURES - 1;
      known.infoHash = infoHash;
      return;
    }
    if (this.#peers.size >= MOST_KNOWN && !this.#dropDead()) return;
    const fresh = { infoHashes: [infoHash], worked: false, failures: 0, endedMs: Number.NEGATIVE_INFINITY, busy: false };
    this.#peers.set(key, { ...peer, ...fresh });
  }

  /** The torrent answers to another hash from now on: peers that did not answer yet may be of that swarm. */
  addHash(infoHash: InfoHash): void {
    for (const peer of this.#peers.values()) if (!peer.infoHashes.includes(infoHash)) peer.infoHashes.push(infoHash);
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
    peer.worked ||= worked;
    if (!peer.worked) peer.infoHash = peer.infoHashes[(peer.infoHashes.indexOf(peer.infoHash) + 1) % peer.infoHashes.length];
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

function keyOf(peer: { host: string; port: number }): string {
  return `${peer.host} ${peer.port}`;
}
