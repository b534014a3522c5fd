import test from "ava";
import fc from "fast-check";
import { dialRoom, type Guest, hasLinkRoom, hasRoom, MOST_CONNECTIONS, whoLeaves } from "../../../peer/engine/admission.ts";

const NOW = 1_000_000;
const UNUSED_MS = 30_000;

interface Facts {
  readonly host?: string;
  readonly incoming?: boolean;
  readonly needless?: boolean;
  readonly usedMs?: number;
}

const guest = (peer: number, facts: Facts = {}): Guest<number> => ({
  peer,
  ...{ host: "10.0.0.1", incoming: true, needless: false, usedMs: 0 },
  ...facts,
});

/** `incoming` of each link. */
const links = (...groups: { count: number; incoming: boolean }[]) =>
  new Set(groups.flatMap(({ count, incoming }) => Array.from({ length: count }, () => ({ connection: { incoming } }))));

const accepted = (count: number) => ({ count, incoming: true });
const dialled = (count: number) => ({ count, incoming: false });

test("hasRoom(): strangers are accepted up to 900 connections, we dial up to 1000", (t) => {
  t.true(hasRoom(899, { incoming: true }));
  t.false(hasRoom(900, { incoming: true }));
  t.true(hasRoom(MOST_CONNECTIONS - 1, { incoming: false }));
  t.false(hasRoom(MOST_CONNECTIONS, { incoming: false }));
});

test("hasLinkRoom(): a torrent takes 240 who dialled us, and keeps room for those that we dial", (t) => {
  t.true(hasLinkRoom(links(accepted(239)), { incoming: true }));
  t.false(hasLinkRoom(links(accepted(240)), { incoming: true }));
  t.true(hasLinkRoom(links(accepted(240)), { incoming: false }));
  // what we dialled takes none of their places
  t.true(hasLinkRoom(links(accepted(239), dialled(60)), { incoming: true }));
  t.false(hasLinkRoom(links(accepted(240), dialled(60)), { incoming: false }));
});

test("dialRoom(): up to 60 links; strangers that take all of those leave us 20 of our own", (t) => {
  t.is(dialRoom(links()), 60);
  t.is(dialRoom(links(accepted(50))), 20);
  t.is(dialRoom(links(accepted(30), dialled(10))), 20);
  t.is(dialRoom(links(accepted(240))), 20);
  t.is(dialRoom(links(accepted(240), dialled(15))), 5);
  t.is(dialRoom(links(dialled(70))), 0);
});

test("whoLeaves(): first one with which there is nothing to exchange, wherever it comes from", (t) => {
  t.is(whoLeaves([guest(1), guest(2, { needless: true, incoming: false, usedMs: NOW })], "10.0.0.1", NOW), 2);
});

test("whoLeaves(): of the host with most places the one that has been silent longest, for a host with fewer", (t) => {
  const crowd = [guest(1, { usedMs: 50 }), guest(2, { usedMs: 40 }), guest(3, { usedMs: 45 }), guest(4, { host: "10.0.0.2", usedMs: 1 })];
  t.is(whoLeaves(crowd, "10.0.0.3", NOW), 2);
  t.is(whoLeaves(crowd, "10.0.0.1", NOW), undefined, "it has most itself");
  // 3 to 1; afterwards 2 to 2
  t.is(whoLeaves(crowd, "10.0.0.2", NOW), 2);
  t.is(whoLeaves(crowd.slice(1), "10.0.0.2", NOW), undefined, "2 to 1 would become 1 to 2");
});

test("whoLeaves(): nobody whom we dialled, and nobody who was of use in the last 30 s", (t) => {
  const crowd = [guest(1, { usedMs: NOW - UNUSED_MS + 1 }), guest(2, { usedMs: NOW }), guest(3, { incoming: false })];
  t.is(whoLeaves(crowd, "10.0.0.9", NOW), undefined);
  t.is(whoLeaves(crowd, "10.0.0.9", NOW + 1), 1);
  t.is(whoLeaves([guest(1, { incoming: false }), guest(2, { incoming: false })], "10.0.0.9", NOW), undefined);
  t.is(whoLeaves([], "10.0.0.9", NOW), undefined);
});

test("whoLeaves(): however hosts come, no host loses a place to one that then has more", (t) => {
  const hosts = fc.constantFrom("a", "b", "c", "d");
  fc.assert(
    fc.property(fc.array(hosts, { maxLength: 60 }), hosts, (present, newcomer) => {
      const guests = present.map((host, peer) => guest(peer, { host }));
      const leaving = whoLeaves(guests, newcomer, NOW);
      if (leaving === undefined) return;
      const after = [...present.filter((_, peer) => peer !== leaving), newcomer];
      const count = (host: string) => after.filter((each) => each === host).length;
      t.true(count(newcomer) <= count(present[leaving]));
    }),
  );
});
