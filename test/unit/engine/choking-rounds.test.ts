import test from "ava";
import { MOST_OUR_PLACES } from "../../../peer/engine/choker.ts";
import { ChokingRounds } from "../../../peer/engine/choking-rounds.ts";
import type { PeerLink } from "../../../peer/engine/peer-link.ts";
import type { SwarmState } from "../../../peer/engine/swarm-state.ts";
import type { Uploader } from "../../../peer/engine/uploader.ts";

const MIB = 1024 * 1024;
const LEAST_PLACES = 20;

/** A link as far as choking goes; `told` counts what the peer was told. */
interface FakeLink {
  ours: boolean;
  peerInterested: boolean;
  amChoking: boolean;
  told: number;
}

/** A torrent with nothing but its links. `isSeed`: it has every piece. */
function makeTorrent({ isSeed, hides = false }: { isSeed: boolean; hides?: boolean }) {
  const links = new Set<PeerLink>();
  const time = { nowMs: 1_000_000 };
  const uploader = { uploadedBytes: 0, onChoke: () => undefined };
  const state = { links, clock: { nowMs: () => time.nowMs }, have: { isFull: isSeed }, geometry: { pieceLengthBytes: MIB } };
  const rounds = new ChokingRounds({ state: state as unknown as SwarmState, uploader: uploader as unknown as Uploader, hides });
  const join = (count: number, ours = true): FakeLink[] => Array.from({ length: count }, () => addLink({ links, rounds, ours }));
  const say = (link: FakeLink, interested: boolean): void => {
    if (link.peerInterested === interested) return;
    link.peerInterested = interested;
    rounds.onInterest(link as unknown as PeerLink);
  };
  const leave = (link: FakeLink): void => {
    links.delete(link as unknown as PeerLink);
    rounds.onGone(link as unknown as PeerLink);
  };
  const pass = (ms: number, sentBytes = 0): void => {
    time.nowMs += ms;
    uploader.uploadedBytes += sentBytes;
    rounds.tick(time.nowMs);
  };
  const ask = (link: FakeLink): void => rounds.onRequest(link as unknown as PeerLink);
  return { join, say, leave, pass, ask };
}

function addLink({ links, rounds, ours }: { links: Set<PeerLink>; rounds: ChokingRounds; ours: boolean }): FakeLink {
  const rest = { wanted: [], snubbed: false, lastBlockMs: 0, depth: { bytesPerSecond: 0 } };
  const link = { ...rest, ours, peerInterested: false, amChoking: true, told: 0, setChoking };
  function setChoking(choking: boolean): void {
    if (choking !== link.amChoking) link.told++;
    link.amChoking = choking;
  }
  links.add(link as unknown as PeerLink);
  rounds.onJoined(link as unknown as PeerLink);
  return link;
}

const unchoked = (links: readonly FakeLink[]): FakeLink[] => links.filter(({ amChoking }) => !amChoking);

test("ours are unchoked before they ask, other clients when they say that they are interested", (t) => {
  const { join, say } = makeTorrent({ isSeed: false });
  const [own] = join(1);
  const [other] = join(1, false);
  t.deepEqual([own.amChoking, other.amChoking], [false, true]);
  say(other, true);
  t.false(other.amChoking);
  say(own, true);
  say(own, false);
  t.is(own.told, 1, "while nobody waits nobody is told anything");
});

test("who wants a place takes it at once from who does not want his", (t) => {
  const { join, say } = makeTorrent({ isSeed: false });
  const all = join(MOST_OUR_PLACES + 1);
  t.is(unchoked(all).length, MOST_OUR_PLACES);
  const waiting = all[MOST_OUR_PLACES];
  say(waiting, true);
  t.false(waiting.amChoking);
  t.is(unchoked(all).length, MOST_OUR_PLACES);
});

test("a place is handed on at once when its peer is done, or gone", (t) => {
  const { join, say, leave } = makeTorrent({ isSeed: false });
  const all = join(MOST_OUR_PLACES + 2);
  for (const link of all) say(link, true);
  const [first, second] = all.slice(MOST_OUR_PLACES);
  t.deepEqual([first.amChoking, second.amChoking], [true, true]);
  say(all[3], false);
  t.deepEqual([all[3].amChoking, first.amChoking, second.amChoking], [true, false, true]);
  leave(all[4]);
  t.false(second.amChoking);
});

test("a place in which nothing is asked for two seconds is handed on; one that is used lasts ten", (t) => {
  const { join, say, pass, ask } = makeTorrent({ isSeed: false });
  const all = join(MOST_OUR_PLACES + 1);
  for (const link of all) say(link, true);
  const waiting = all[MOST_OUR_PLACES];
  for (let step = 0; step < 8; step++) {
    for (const link of all.slice(1, MOST_OUR_PLACES)) ask(link);
    t.true(waiting.amChoking);
    pass(250);
  }
  t.deepEqual([all[0].amChoking, waiting.amChoking], [true, false]);
  t.is(unchoked(all.slice(1)).length, MOST_OUR_PLACES);
});

test("a peer that says over and over that it is and is not interested gets no more than its turn, and disturbs nobody", (t) => {
  const { join, say, pass, ask } = makeTorrent({ isSeed: false });
  const all = join(MOST_OUR_PLACES + 10);
  for (const link of all) say(link, true);
  const [restless] = all;
  const told = () => all.reduce((sum, link) => sum + link.told, 0);
  const before = told();
  for (let time = 0; time < 10_000; time++) {
    say(restless, false);
    say(restless, true);
  }
  // its place went to the next one, once
  t.is(told() - before, 2);
  t.true(restless.amChoking);
  for (const link of all) ask(link);
  pass(250);
  t.is(told() - before, 2);
});

test("a flood of interest of one kind of peers does not depend on who waits of the other kind", (t) => {
  const { join, say } = makeTorrent({ isSeed: false });
  for (const link of join(30, false)) say(link, true);
  const [restless, ...ours] = join(MOST_OUR_PLACES);
  for (const link of ours) say(link, true);
  const before = restless.told;
  for (let time = 0; time < 1000; time++) {
    say(restless, true);
    say(restless, false);
  }
  t.is(restless.told, before);
});

test("a seed has few places while little leaves it, and more as it sends more; a seeder that hides pieces has them all", (t) => {
  const { join, say, pass, ask } = makeTorrent({ isSeed: true });
  const all = join(200);
  for (const link of all) say(link, true);
  t.is(unchoked(all).length, LEAST_PLACES);
  // 80 MiB in each second: 0.6 s are 48 pieces of 1 MiB, and 63 at most where the meter's window has just begun
  for (let step = 0; step < 12; step++) {
    for (const link of unchoked(all)) ask(link);
    pass(250, 20 * MIB);
  }
  const places = unchoked(all).length;
  t.true(places >= 48 && places <= 63, `${places}`);
  const seeder = makeTorrent({ isSeed: true, hides: true });
  const peers = seeder.join(200);
  for (const link of peers) seeder.say(link, true);
  t.is(unchoked(peers).length, MOST_OUR_PLACES);
});
