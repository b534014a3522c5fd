/** Which piece the seeder shows to whom, over random comings, goings and HAVEs. */
import test from "ava";
import fc from "fast-check";
import { Bitfield } from "../../../peer/engine/bitfield.ts";
import { type RevealPeer, RevealPlan } from "../../../peer/engine/reveal.ts";

const PIECES = 6;
/** A window of 16 MiB over one peer: 16 pieces. */
const PIECE_BYTES = 1024 * 1024;
const STUCK_MS = 1500;

function makePeer(): RevealPeer {
  return { bitfield: new Bitfield(PIECES), shown: new Set() };
}

function have(plan: RevealPlan<RevealPeer>, peer: RevealPeer, index: number, nowMs: number): void {
  if (peer.bitfield.add(index)) plan.onHave(peer, index, nowMs);
}

/** An upload so fast that it bounds nothing. */
const FAST = 1e12;

test("decide() shows each new piece to one peer, spread over the peers", (t) => {
  const plan = new RevealPlan<RevealPeer>(PIECE_BYTES);
  const peers = [makePeer(), makePeer(), makePeer()];
  for (const peer of peers) plan.addPeer(peer, 0);
  for (let index = 0; index < PIECES; index++) plan.addPiece(index, 0);
  const shown = plan.decide(0, FAST);
  t.deepEqual(
    shown.map(({ index }) => index),
    [0, 1, 2, 3, 4, 5],
  );
  for (const peer of peers) t.is(peer.shown.size, PIECES / peers.length);
  t.deepEqual(plan.decide(0, FAST), []);
});

test("decide() shows what only a lost peer was shown to another one", (t) => {
  const plan = new RevealPlan<RevealPeer>(PIECE_BYTES);
  const [first, second] = [makePeer(), makePeer()];
  plan.addPeer(first, 0);
  plan.addPiece(0, 0);
  t.like(plan.decide(0, FAST), [{ peer: first, index: 0 }]);
  plan.addPeer(second, 10);
  t.deepEqual(plan.decide(10, FAST), []);
  plan.removePeer(first);
  const shown = plan.decide(20, FAST);
  t.is(shown.length, 1);
  t.is(shown[0].peer, second);
});

test("decideStuck() shows one peer more where nothing spread for a while, until all have it", (t) => {
  const plan = new RevealPlan<RevealPeer>(PIECE_BYTES);
  const peers = [makePeer(), makePeer(), makePeer()];
  for (const peer of peers) plan.addPeer(peer, 0);
  plan.addPiece(0, 0);
  const first = plan.decide(0, FAST)[0].peer;
  t.deepEqual(plan.decideStuck(STUCK_MS - 1), []);
  const second = plan.decideStuck(STUCK_MS)[0].peer;
  t.not(second, first);
  have(plan, first, 0, STUCK_MS + 10);
  t.deepEqual(plan.decideStuck(2 * STUCK_MS), [], "it has just spread");
  const third = plan.decideStuck(2 * STUCK_MS + 10)[0].peer;
  t.is(new Set([first, second, third]).size, 3);
  for (const peer of peers) have(plan, peer, 0, 2 * STUCK_MS + 20);
  t.deepEqual(plan.decideStuck(9 * STUCK_MS), []);
});

test("decideStuck() waits longer where every piece spreads slowly, and not where none does", (t) => {
  const plan = new RevealPlan<RevealPeer>(PIECE_BYTES);
  const [first, second, third] = [makePeer(), makePeer(), makePeer()];
  for (const peer of [first, second, third]) plan.addPeer(peer, 0);
  for (let index = 0; index < PIECES; index++) plan.addPiece(index, 0);
  plan.decide(0, FAST);
  for (let index = 1; index < PIECES; index++) have(plan, first, index, 0);
  // one report a second, six pieces open: each rests for six seconds
  for (let second = 1; second <= 4; second++) {
    have(plan, third, second, second * 1000);
    t.deepEqual(plan.decideStuck(second * 1000), []);
  }
  t.true(plan.decideStuck(4000 + 3 * STUCK_MS).length > 0);
  // only as many pieces as peers are open
  const quick = new RevealPlan<RevealPeer>(PIECE_BYTES);
  for (const peer of [makePeer(), second]) quick.addPeer(peer, 0);
  for (const index of [0, 1]) quick.addPiece(index, 0);
  quick.decide(0, FAST);
  have(quick, second, 1, STUCK_MS);
  t.deepEqual(
    quick.decideStuck(STUCK_MS).map(({ index }) => index),
    [0],
  );
});

test("decide() keeps a window of shown pieces per peer, and goes on as they are reported", (t) => {
  const plan = new RevealPlan<RevealPeer>(16 * PIECE_BYTES);
  const peer = makePeer();
  plan.addPeer(peer, 0);
  for (let index = 0; index < PIECES; index++) plan.addPiece(index, 0);
  t.is(plan.decide(0, FAST).length, 2, "never fewer than two, however long the pieces");
  have(plan, peer, 0, 1);
  t.deepEqual(
    plan.decide(1, FAST).map(({ index }) => index),
    [2],
  );
});

test("onHave() and onBitfield() of peers that pieces are not revealed to count for nothing", (t) => {
  const plan = new RevealPlan<RevealPeer>(PIECE_BYTES);
  const standard = makePeer();
  plan.addPiece(0, 0);
  plan.addPiece(1, 0);
  have(plan, standard, 0, 0);
  standard.bitfield.add(1);
  plan.onBitfield(standard, 0);
  plan.removePeer(standard);
  const ours = makePeer();
  plan.addPeer(ours, 10);
  t.deepEqual(
    plan.decide(10, FAST).map(({ index }) => index),
    [0, 1],
    "else nobody would ever tell our own peer of them",
  );
});

type Step = { kind: "piece" | "join" | "leave" | "have" | "stuck"; peer: number; index: number; ms: number };
const anyStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("piece", "join", "leave", "have", "stuck"),
  peer: fc.nat(3),
  index: fc.nat(PIECES - 1),
  ms: fc.nat(2000),
});

test("RevealPlan shows nobody a piece twice or one that it has, and no piece stays hidden while somebody could take it", (t) => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const plan = new RevealPlan<RevealPeer>(PIECE_BYTES);
      const there = new Map<number, RevealPeer>();
      const pieces = new Set<number>();
      let nowMs = 0;
      for (const step of steps) {
        nowMs += step.ms;
        const peer = there.get(step.peer);
        if (step.kind === "piece") plan.addPiece(step.index, nowMs), pieces.add(step.index);
        else if (step.kind === "join" && peer === undefined) {
          const joined = makePeer();
          there.set(step.peer, joined);
          plan.addPeer(joined, nowMs);
        } else if (step.kind === "leave" && peer !== undefined) there.delete(step.peer), plan.removePeer(peer);
        else if (step.kind === "have" && peer !== undefined) have(plan, peer, step.index, nowMs);
        const before = new Map([...there.values()].map((one) => [one, new Set(one.shown)]));
        for (const { peer: to, index } of [...plan.decide(nowMs, FAST), ...(step.kind === "stuck" ? plan.decideStuck(nowMs) : [])]) {
          t.true([...there.values()].includes(to) && pieces.has(index));
          t.false(to.bitfield.has(index) || before.get(to)?.has(index), `piece ${index} again`);
          before.get(to)?.add(index);
        }
        // the window is larger than all pieces together here, so room is never the reason
        for (const index of there.size === 0 ? [] : pieces) {
          t.true(
            [...there.values()].some((one) => one.shown.has(index) || one.bitfield.has(index)),
            `piece ${index} is hidden from all`,
          );
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("onDontHave() makes a piece that nobody else has one to show again", (t) => {
  const plan = new RevealPlan<RevealPeer>(256 * 1024);
  const peer = { bitfield: new Bitfield(2), shown: new Set<number>() };
  plan.addPeer(peer, 0);
  plan.addPiece(0, 0);
  t.is(plan.decide(0, 0).length, 1);
  peer.bitfield.add(0);
  plan.onHave(peer, 0, 0);
  t.deepEqual(plan.decide(0, 0), []);
  // the bitfield lost it before the plan hears of it, as in PeerLink
  peer.bitfield.delete(0);
  plan.onDontHave(peer, 0);
  t.deepEqual(plan.decide(0, 0), [{ peer, index: 0 }]);
});

test("decide() shows no more at once than 0.6 seconds of a slow upload, and at least eight pieces", (t) => {
  const plan = new RevealPlan<RevealPeer>(256 * 1024);
  for (let peer = 0; peer < 10; peer++) plan.addPeer({ bitfield: new Bitfield(100), shown: new Set() }, 0);
  for (let index = 0; index < 100; index++) plan.addPiece(index, 0);
  t.is(plan.decide(0, 0).length, 8);
  t.is(plan.decide(0, 5_000_000).length, 4, "19.07 pieces a second, 11.4 in 0.6: 12 are shown now");
  t.is(plan.decide(0, 5_000_000).length, 0);
});
