/**
 * How the peers of this host behave, over all torrents: what they did wrong, and who is left alone for how long. Decides:
 * time is an argument.
 *
 * Wrong bytes that are proved lead to a ban at once; what may also have an innocent cause (a stall, a refusal) gives points,
 * which halve every few minutes. A ban ends by itself; the next one of the same peer lasts twice as long. A peer is known by its
 * id, and by host and port where these are known: several peers may share a host, and an id is easily changed.
 * Invariant: at most MOST_KNOWN peers are remembered; a banned one is forgotten last.
 */
import type { PeerId } from "../../torrents/ids.ts";
import type { Offence } from "../../torrents/task-api.ts";

export interface PeerIdentity {
  readonly id: PeerId;
  readonly host: string;
  /** Where it listens; 0: unknown. */
  readonly port: number;
}

/** A peer that is left alone. */
export interface BannedPeer extends PeerIdentity {
  readonly offence: Offence;
  /** What the last offence was, in words. */
  readonly reason: string;
  readonly untilMs: number;
  /** How often it did what. */
  readonly offences: Readonly<Partial<Record<Offence, number>>>;
}

const POINTS: Readonly<Record<Offence, number>> = {
  bad_block: 100,
  bad_record: 100,
  suspect_piece: 25,
  protocol: 40,
  stalled: 20,
  refused: 5,
};
const BAN_AT = 100;
const HALF_LIFE_MS = 3 * 60_000;
/** Liars stay away longer than those that only are of no use. */
const FIRST_BAN_MS: Readonly<Record<Offence, number>> = {
  bad_block: 30 * 60_000,
  bad_record: 30 * 60_000,
  suspect_piece: 10 * 60_000,
  protocol: 5 * 60_000,
  stalled: 60_000,
  refused: 60_000,
};
const MOST_BAN_MS = 4 * 60 * 60_000;
/** Longer ago than this, and an earlier ban does not count any more. */
const FORGIVE_MS = 6 * 60 * 60_000;
const MOST_KNOWN = 2000;

interface Conduct {
  peer: PeerIdentity;
  points: number;
  atMs: number;
  bans: number;
  ban: { readonly offence: Offence; readonly reason: string; readonly untilMs: number } | undefined;
  readonly offences: Partial<Record<Offence, number>>;
}

export class PeerConduct {
  /** By peer id and by address; one entry under both. */
  readonly #known = new Map<string, Conduct>();

  /** Notes an offence; answers the ban where it leads to one. */
  note(peer: PeerIdentity, what: { offence: Offence; reason: string }, nowMs: number): BannedPeer | undefined {
    const conduct = this.#of(peer, nowMs);
    const { offence, reason } = what;
    conduct.peer = peer;
    conduct.points = conduct.points * 0.5 ** ((nowMs - conduct.atMs) / HALF_LIFE_MS) + POINTS[offence];
    conduct.atMs = nowMs;
    conduct.offences[offence] = (conduct.offences[offence] ?? 0) + 1;
    if (conduct.points < BAN_AT || isBanned(conduct, nowMs)) return undefined;
    conduct.points = 0;
    const untilMs = nowMs + Math.min(MOST_BAN_MS, FIRST_BAN_MS[offence] * 2 ** conduct.bans++);
    conduct.ban = { offence, reason, untilMs };
    return describe(conduct, conduct.ban);
  }

  /** Whether a peer, by its id or by `HOST PORT`, is to be left alone. */
  isBanned(who: string, nowMs: number): boolean {
    const conduct = this.#known.get(who);
    return conduct !== undefined && isBanned(conduct, nowMs);
  }

  /** Who is left alone just now. */
  banned(nowMs: number): BannedPeer[] {
    return [...new Set(this.#known.values())].flatMap((conduct) =>
      conduct.ban !== undefined && isBanned(conduct, nowMs) ? [describe(conduct, conduct.ban)] : [],
    );
  }

  #of(peer: PeerIdentity, nowMs: number): Conduct {
    const keys = keysOf(peer);
    const found = keys.map((key) => this.#known.get(key)).find((conduct) => conduct !== undefined);
    const forgiven = found === undefined || (nowMs - found.atMs > FORGIVE_MS && !isBanned(found, nowMs));
    const conduct = forgiven ? { peer, points: 0, atMs: nowMs, bans: 0, ban: undefined, offences: {} } : found;
    for (const key of keys) {
      this.#known.delete(key);
      this.#known.set(key, conduct);
    }
    if (this.#known.size > MOST_KNOWN) this.#dropOldest(nowMs);
    return conduct;
  }

  /** The one that was noted longest ago and is not banned; else the oldest ban. */
  #dropOldest(nowMs: number): void {
    const [oldest] = this.#known;
    const [key] = [...this.#known].find(([, conduct]) => !isBanned(conduct, nowMs)) ?? oldest;
    this.#known.delete(key);
  }
}

/** How a peer's address is called in isBanned(). */
export function addressKey({ host, port }: { host: string; port: number }): string {
  return `${host} ${port}`;
}

function keysOf(peer: PeerIdentity): string[] {
  return peer.port > 0 ? [peer.id, addressKey(peer)] : [peer.id];
}

function isBanned({ ban }: Conduct, nowMs: number): boolean {
  return ban !== undefined && ban.untilMs > nowMs;
}

function describe({ peer, offences }: Conduct, ban: NonNullable<Conduct["ban"]>): BannedPeer {
  const { id, host, port } = peer;
  return { id, host, port, ...ban, offences: { ...offences } };
}
