import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import {
  type ChokeCandidate,
  chooseUnchoked,
  LEAST_OUR_PLACES,
  MOST_OUR_PLACES,
  STANDARD_PLACES,
  seedPlaces,
} from "../../../peer/engine/choker.ts";

const NOW = 1_000_000;
const OUR_TURN_MS = 10_000;
const STANDARD_TURN_MS = 30_000;
const UNUSED_MS = 2_000;
const TICK_MS = 250;

type Facts = Partial<Omit<ChokeCandidate<number>, "peer">>;

/** Interested, and choked since NOW, unless told otherwise. */
function candidate(peer: number, facts: Facts): ChokeCandidate<number> {
  const usual = { ours: true, interested: true, givesBytesPerSecond: 0, placeSinceMs: undefined, usedMs: NOW, waitsSinceMs: NOW };
  return { peer, ...usual, ...facts };
}

function candidates(count: number, facts: (at: number) => Facts): ChokeCandidate<number>[] {
  return Array.from({ length: count }, (_, at) => candidate(at, facts(at)));
}

const inOrder = (chosen: Iterable<number>): number[] => [...chosen].sort((one, other) => one - other);

test("chooseUnchoked() gives all of ours a place while there are enough, whether they ask or not", (t) => {
  const ours = candidates(MOST_OUR_PLACES, (at) => ({ interested: at % 2 === 0 }));
  t.is(chooseUnchoked(ours, { places: MOST_OUR_PLACES, nowMs: NOW }).size, MOST_OUR_PLACES);
});

test("chooseUnchoked() prefers ours that want a place to those that do not, and gives standard clients none that they do not want", (t) => {
  const idle = candidates(MOST_OUR_PLACES, () => ({ interested: false, placeSinceMs: NOW - 1 }));
  const chosen = chooseUnchoked([...idle, candidate(500, {}), candidate(501, { ours: false, interested: false })], {
    places: MOST_OUR_PLACES,
    nowMs: NOW,
  });
  t.is(chosen.size, MOST_OUR_PLACES);
  t.true(chosen.has(500));
  t.false(chosen.has(501));
});

test("chooseUnchoked() of the others takes the eight that give most, and two that have waited longest", (t) => {
  const waitedLongest = [3, 5];
  const others = candidates(20, (at) => ({ ours: false, givesBytesPerSecond: at, waitsSinceMs: waitedLongest.includes(at) ? 0 : NOW }));
  t.deepEqual(inOrder(chooseUnchoked(others, { places: MOST_OUR_PLACES, nowMs: NOW })), [3, 5, 12, 13, 14, 15, 16, 17, 18, 19]);
});

test("chooseUnchoked(): a place lasts its turn while it is used, though others wait", (t) => {
  const holders = candidates(MOST_OUR_PLACES, () => ({ placeSinceMs: NOW - OUR_TURN_MS + 1 }));
  const waiting = candidate(500, { waitsSinceMs: 0 });
  t.false(chooseUnchoked([...holders, waiting], { places: MOST_OUR_PLACES, nowMs: NOW }).has(500));
  t.true(chooseUnchoked([...holders, waiting], { places: MOST_OUR_PLACES, nowMs: NOW + 1 }).has(500));
});

test("chooseUnchoked(): whoever has had a place longest goes, and no more go than wait", (t) => {
  const holders = candidates(MOST_OUR_PLACES, (at) => ({ placeSinceMs: NOW - OUR_TURN_MS - at }));
  const chosen = chooseUnchoked([...holders, candidate(500, {}), candidate(501, {})], { places: MOST_OUR_PLACES, nowMs: NOW });
  t.is(chosen.size, MOST_OUR_PLACES);
  t.deepEqual(
    holders.map(({ peer }) => peer).filter((peer) => !chosen.has(peer)),
    [MOST_OUR_PLACES - 2, MOST_OUR_PLACES - 1],
  );
});

test("chooseUnchoked(): a place in which nothing is asked goes to who waits; without anybody who waits it is kept", (t) => {
  const holders = candidates(MOST_OUR_PLACES, (at) => ({ placeSinceMs: NOW - UNUSED_MS - 1, usedMs: at === 7 ? NOW - UNUSED_MS : NOW }));
  t.true(chooseUnchoked(holders, { places: MOST_OUR_PLACES, nowMs: NOW }).has(7));
  const chosen = chooseUnchoked([...holders, candidate(500, {})], { places: MOST_OUR_PLACES, nowMs: NOW });
  t.false(chosen.has(7));
  t.true(chosen.has(500));
});

test("chooseUnchoked(): where places become fewer, whoever is in turn stays; with turns over the fewer places hold", (t) => {
  const holders = candidates(60, (at) => ({ placeSinceMs: NOW - (at < 35 ? 1 : OUR_TURN_MS) }));
  const chosen = chooseUnchoked([...holders, candidate(500, {})], { places: 30, nowMs: NOW });
  t.deepEqual(
    inOrder(chosen),
    holders.map(({ peer }) => peer).filter((peer) => peer < 35),
  );
  t.is(chooseUnchoked([...holders, candidate(500, {})], { places: 30, nowMs: NOW + OUR_TURN_MS }).size, 30);
});

test("seedPlaces(): as many as get a piece each in 0.6 s, from 20 to 80", (t) => {
  const places = (uploadBytesPerSecond: number, pieceLengthBytes: number) => seedPlaces({ uploadBytesPerSecond, pieceLengthBytes });
  t.is(places(0, 262_144), LEAST_OUR_PLACES);
  // 0.6 × 20,000,000 ÷ 262,144 = 45.8
  t.is(places(20_000_000, 262_144), 45);
  t.is(places(20_000_000, 1_048_576), LEAST_OUR_PLACES);
  t.is(places(1_000_000_000, 1_048_576), MOST_OUR_PLACES);
});

test("chooseUnchoked() leaves nobody out for whom there is a place, and keeps within the places", (t) => {
  const facts = fc.record({
    ours: fc.boolean(),
    interested: fc.boolean(),
    givesBytesPerSecond: fc.nat(1000),
    placeSinceMs: fc.option(fc.integer({ min: NOW - 60_000, max: NOW }), { nil: undefined }),
    usedMs: fc.integer({ min: NOW - 60_000, max: NOW }),
    waitsSinceMs: fc.integer({ min: NOW - 60_000, max: NOW }),
  });
  fc.assert(
    fc.property(fc.array(facts, { maxLength: 250 }), (list) => {
      const all = list.map((each, peer) => candidate(peer, each));
      const chosen = chooseUnchoked(all, { places: MOST_OUR_PLACES, nowMs: NOW });
      for (const ours of [true, false]) {
        const group = all.filter((each) => each.ours === ours);
        const places = ours ? MOST_OUR_PLACES : STANDARD_PLACES;
        const eligible = group.filter(({ interested, placeSinceMs }) => ours || interested || placeSinceMs !== undefined);
        const got = group.filter(({ peer }) => chosen.has(peer));
        t.is(got.length, Math.min(places, eligible.length));
        const wanting = group.filter(({ interested }) => interested).length;
        t.is(got.filter(({ interested }) => interested).length, Math.min(places, wanting), "who wants goes before who does not");
      }
    }),
  );
});

interface Crowd {
  readonly peers: number;
  readonly ours: boolean;
  /** Peers that hold a place and ask nothing. */
  readonly silent: number;
  readonly gives: (peer: number, nowMs: number) => number;
}

interface Seen {
  readonly longestWaitMs: number;
  /** Chokes of one and the same place's owner, each second. */
  readonly chokesPerSecond: number;
  readonly mostPlaces: number;
}

/** Rounds as the engine holds them, for as long as `turns` turns: all stay interested. */
function playRounds({ peers, ours, silent, gives }: Crowd, lastsMs: number): Seen {
  const since = new Array<number>(peers).fill(0);
  const has = new Array<boolean>(peers).fill(false);
  let longestWaitMs = 0;
  let chokes = 0;
  let mostPlaces = 0;
  for (let nowMs = 0; nowMs < lastsMs; nowMs += TICK_MS) {
    const all = candidates(peers, (at) => ({
      ours,
      givesBytesPerSecond: gives(at, nowMs),
      placeSinceMs: has[at] ? since[at] : undefined,
      usedMs: at < silent ? 0 : nowMs,
      waitsSinceMs: since[at],
    }));
    const chosen = chooseUnchoked(all, { places: MOST_OUR_PLACES, nowMs });
    mostPlaces = Math.max(mostPlaces, chosen.size);
    for (let at = 0; at < peers; at++) {
      if (!has[at]) longestWaitMs = Math.max(longestWaitMs, nowMs - since[at]);
      if (chosen.has(at) === has[at]) continue;
      if (has[at]) chokes++;
      has[at] = !has[at];
      since[at] = nowMs;
    }
  }
  return { longestWaitMs, chokesPerSecond: chokes / (lastsMs / 1000), mostPlaces };
}

function fairTurns(t: ExecutionContext, crowd: Crowd, { places, turnMs }: { places: number; turnMs: number }, inTurn = places): void {
  const { longestWaitMs, chokesPerSecond, mostPlaces } = playRounds(crowd, 12 * turnMs);
  const turns = Math.ceil(crowd.peers / inTurn);
  t.true(mostPlaces <= places);
  t.true(longestWaitMs <= turns * (turnMs + TICK_MS), `${longestWaitMs} ms for ${turns} turns with ${crowd.peers} peers`);
  // a place that is used changes hands once a turn, one that is not once in UNUSED_MS
  const most = crowd.silent > 0 ? places / (UNUSED_MS / 1000) : places / (turnMs / 1000);
  t.true(chokesPerSecond <= most, `${chokesPerSecond} chokes a second`);
}

test("of n peers of ours that go on asking nobody waits longer than ⌈n ÷ 80⌉ turns, and nobody is choked within its turn", (t) => {
  const group = { places: MOST_OUR_PLACES, turnMs: OUR_TURN_MS };
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), (peers) => fairTurns(t, { peers, ours: true, silent: 0, gives: () => 0 }, group)),
    { numRuns: 25 },
  );
});

test("peers that are interested and ask nothing keep nobody from a place, and cost a choke in two seconds a place", (t) => {
  const group = { places: MOST_OUR_PLACES, turnMs: OUR_TURN_MS };
  for (const silent of [1, 80, 150, 200]) fairTurns(t, { peers: 200, ours: true, silent, gives: () => 0 }, group);
});

test("standard clients of which none gives anything, as at a seed, take turns in all places", (t) => {
  const group = { places: STANDARD_PLACES, turnMs: STANDARD_TURN_MS };
  for (const peers of [11, 20, 35, 100]) fairTurns(t, { peers, ours: false, silent: 0, gives: () => 0 }, group);
});

test("standard clients that give nothing get their turns beside ones that always give, in two places at least", (t) => {
  const group = { places: STANDARD_PLACES, turnMs: STANDARD_TURN_MS };
  fairTurns(t, { peers: 18, ours: false, silent: 0, gives: (peer, nowMs) => (peer < 9 ? 1000 + ((peer * 7 + nowMs) % 13) : 0) }, group, 2);
});
