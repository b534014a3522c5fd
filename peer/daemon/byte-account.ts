/**
 * Where the bytes of one request came from, when several requests share a torrent. Decides.
 * What the store held when the request began is `cache`. Invariant: the final account sums to the length.
 */
import type { BytesFrom, TorrentStats } from "../engine/types.ts";

type Reading = Pick<TorrentStats, "from" | "bytesHave">;

export interface AccountInput {
  /** The torrent's reading when the request began. */
  readonly begin: Reading;
  readonly now: Reading;
}

/** The account while the download runs. */
export function accountSoFar(input: AccountInput): BytesFrom {
  const { begin, now } = input;
  const grown = (source: "origin" | "seeder" | "peers"): number => Math.max(0, now.from[source] - begin.from[source]);
  return { origin: grown("origin"), seeder: grown("seeder"), peers: grown("peers"), cache: begin.bytesHave };
}

type Account = Readonly<Record<"origin" | "seeder" | "peers", number>>;

/** What came in an earlier life of the daemon, and in this one. */
export function addAccounts(earlier: Account | undefined, now: Account): Account {
  const sum = (source: keyof Account): number => (earlier?.[source] ?? 0) + now[source];
  return { origin: sum("origin"), seeder: sum("seeder"), peers: sum("peers") };
}

/** The account of a finished download: whatever the counters miss or count twice goes to the origin where it was read, else to the cache. */
export function accountAtEnd(input: AccountInput & { lengthBytes: number; originWasRead: boolean }): BytesFrom {
  const { seeder, peers, cache } = accountSoFar(input);
  const swarm = Math.min(input.lengthBytes, seeder + peers);
  const fromSeeder = Math.min(seeder, swarm);
  const rest = input.lengthBytes - swarm;
  const fromCache = input.originWasRead ? Math.min(cache, rest) : rest;
  return { origin: rest - fromCache, seeder: fromSeeder, peers: swarm - fromSeeder, cache: fromCache };
}
