/**
 * How many connections there may be, of a torrent and of the engine, and who leaves where all places are taken. Decides.
 *
 * Strangers dial us as often as they like, so what they may take is bounded below what there is: the rest is for peers that we choose ourselves.
 * Among those that dialled us, the host with the most places gives one up to a host with fewer, so that one address cannot hold them all.
 */
import type { Connection } from "./connection.ts";
import type { Contact } from "./contact.ts";
import type { PeerLink } from "./peer-link.ts";

/** Connections of the engine; beyond MOST_BEFORE_ACCEPTING none are accepted any more. */
export const MOST_CONNECTIONS = 1000;
const MOST_BEFORE_ACCEPTING = 900;
/** Links of a torrent, and how many of them others may have dialled. */
const MOST_LINKS = 300;
const MOST_ACCEPTED_LINKS = 240;
/** Peers are dialled while a torrent has fewer links … */
const DIAL_UP_TO = 60;
/** … or fewer that we dialled. */
const LEAST_DIALLED = 20;
/** Nothing came or was asked for so long: the place may go to another host. */
const UNUSED_MS = 30_000;

/** A connection that has a place. */
export interface Guest<Peer> {
  readonly peer: Peer;
  readonly host: string;
  /** It dialled us. */
  readonly incoming: boolean;
  /** There is nothing to exchange with it any more. */
  readonly needless: boolean;
  readonly usedMs: number;
}

/** Who dialled whom. */
type Links = Iterable<{ readonly connection: { readonly incoming: boolean } }> & { readonly size: number };

/** Whether the engine has room for one more connection. */
export function hasRoom(connections: number, { incoming }: { readonly incoming: boolean }): boolean {
  return connections < (incoming ? MOST_BEFORE_ACCEPTING : MOST_CONNECTIONS);
}

/** Whether a torrent with these links has room for one more. */
export function hasLinkRoom(links: Links, { incoming }: { readonly incoming: boolean }): boolean {
  if (links.size >= MOST_LINKS) return false;
  return !incoming || links.size < MOST_ACCEPTED_LINKS || links.size - countDialled(links) < MOST_ACCEPTED_LINKS;
}

/** How many more peers a torrent with these links may dial. */
export function dialRoom(links: Links): number {
  return Math.max(0, DIAL_UP_TO - links.size, LEAST_DIALLED - countDialled(links));
}

/** Who gives its place to a newcomer from `host`; undefined: nobody. */
export function whoLeaves<Peer>(guests: readonly Guest<Peer>[], host: string, nowMs: number): Peer | undefined {
  const needless = guests.find((guest) => guest.needless);
  if (needless !== undefined) return needless.peer;
  const places = new Map<string, number>();
  for (const guest of guests) if (guest.incoming) places.set(guest.host, (places.get(guest.host) ?? 0) + 1);
  const most = Math.max(0, ...places.values());
  // one more than it has, after it came: no two hosts take turns in throwing each other out
  if (most < (places.get(host) ?? 0) + 2) return undefined;
  let leaving: Guest<Peer> | undefined;
  for (const guest of guests) {
    const mayLeave = guest.incoming && places.get(guest.host) === most && nowMs - guest.usedMs >= UNUSED_MS;
    if (mayLeave && (leaving === undefined || guest.usedMs < leaving.usedMs)) leaving = guest;
  }
  return leaving?.peer;
}

/** All that have a place in `torrent`, or in any. */
export function guestsOf(contacts: ReadonlyMap<Connection, Contact>, torrent: Contact["torrent"]): Guest<PeerLink>[] {
  const guests: Guest<PeerLink>[] = [];
  for (const [connection, { link, torrent: own }] of contacts) {
    if (link === undefined || own === undefined || connection.closed || (torrent !== undefined && own !== torrent)) continue;
    const { host, incoming } = connection;
    guests.push({ peer: link, host, incoming, needless: own.complete && link.needsNothing, usedMs: own.links.usedMs(link) });
  }
  return guests;
}

function countDialled(links: Links): number {
  let count = 0;
  for (const { connection } of links) if (!connection.incoming) count++;
  return count;
}
