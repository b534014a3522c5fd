/**
 * Where each connection of the engine stands, from the first byte to the torrent that it belongs to. Decides what follows from that alone.
 */
import type { InfoHash } from "../../torrents/ids.ts";
import type { KnownPeer } from "./address-book.ts";
import type { Connection } from "./connection.ts";
import type { DialMode } from "./mse/encryption-policy.ts";
import type { PeerLink } from "./peer-link.ts";
import type { SwarmTorrent } from "./swarm-torrent.ts";

/** Accepted connections that did not shake hands yet: more, and the one that has waited longest goes. */
const MOST_WAITING = 200;

/** Set on connections that we dialled. */
export interface Dialled {
  readonly torrent: SwarmTorrent;
  readonly peer: KnownPeer;
  readonly mode: DialMode;
  /** Ways to dial it that are left to try. */
  readonly later: readonly DialMode[];
}

export interface Contact {
  readonly sinceMs: number;
  dialled?: Dialled;
  /** How its peer was dialled besides, in vain: it was connected already. */
  readonly met: Dialled[];
  /** Set on peers met over WebRTC: in this swarm, and in no other one. */
  readonly swarm?: InfoHash;
  /** TCP stands; what the peer does from here on tells how it wants to be dialled. */
  connected?: boolean;
  /** Their handshake came. */
  greeted?: boolean;
  torrent?: SwarmTorrent;
  link?: PeerLink;
}

/** A connection without a handshake yet. */
export function newContact(nowMs: number): Contact {
  return { sinceMs: nowMs, met: [] };
}

/** The connection to what `from` dialled is `to`: while that lasts the address is not dialled again. */
export function handOver(from: Contact | undefined, to: Contact | undefined): void {
  if (from?.dialled === undefined || to === undefined) return;
  to.met.push(from.dialled);
  from.dialled = undefined;
}

/** Whether the handshake is for what the peer was dialled for, or met in. */
export function isExpected({ dialled, swarm }: Contact, greeting: { torrent: SwarmTorrent; infoHash: InfoHash }): boolean {
  return (dialled === undefined || dialled.torrent === greeting.torrent) && (swarm === undefined || swarm === greeting.infoHash);
}

/** Of two connections to one peer, whether the newer one stays. TCP goes before WebRTC; else it is the one that the smaller id opened: both sides know it. */
export function newerStays(older: Connection, newer: Connection, theirIdIsSmaller: boolean): boolean {
  if (older.transport !== newer.transport) return newer.transport === "tcp";
  return older.incoming !== newer.incoming && newer.incoming === theirIdIsSmaller;
}

/** Connections without a handshake must not keep those out that have one to give: the one to end, where there are too many. */
export function crowdingOut(contacts: ReadonlyMap<Connection, Contact>): Connection | undefined {
  let oldest: Connection | undefined;
  let waiting = 0;
  for (const [connection, { link }] of contacts) {
    if (!connection.incoming || link !== undefined || connection.closed) continue;
    oldest ??= connection;
    waiting++;
  }
  return waiting >= MOST_WAITING ? oldest : undefined;
}

/** Dialled, and no handshake yet. */
export function countDialing(contacts: Iterable<Contact>): number {
  let count = 0;
  for (const { link, dialled } of contacts) if (link === undefined && dialled !== undefined) count++;
  return count;
}

/** Who hangs up before its handshake may want the other kind of one: the ways that are left. */
export function waysLeft({ dialled, connected, greeted }: Contact): readonly DialMode[] {
  return dialled === undefined || connected !== true || greeted === true ? [] : dialled.later;
}
