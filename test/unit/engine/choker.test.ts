import test from "ava";
import fc from "fast-check";
import { type ChokeCandidate, chooseUnchoked } from "../../../peer/engine/choker.ts";

const candidate = (peer: number, ours: boolean, givesBytesPerSecond = 0, interested = true): ChokeCandidate<number> => ({
  peer,
  ours,
  givesBytesPerSecond,
  interested,
});

test("chooseUnchoked() unchokes all of ours, and of the others the eight that give most and two by chance", (t) => {
  const ours = Array.from({ length: 50 }, (_, peer) => candidate(peer, true));
  const others = Array.from({ length: 20 }, (_, at) => candidate(100 + at, false, at));
  const chosen = chooseUnchoked([...ours, ...others], () => 0);
  for (const { peer } of ours) t.true(chosen.has(peer));
  const standard = [...chosen].filter((peer) => peer >= 100).sort();
  // the best are 112 … 119; chance 0 takes the first ones of the rest, best first
  t.deepEqual(standard, [110, 111, 112, 113, 114, 115, 116, 117, 118, 119]);
});

test("chooseUnchoked() gives newcomers their turn: over many rounds everyone is unchoked", (t) => {
  const others = Array.from({ length: 20 }, (_, at) => candidate(at, false, at));
  const seen = new Set<number>();
  for (let round = 0; round < 100; round++) for (const peer of chooseUnchoked(others, () => ((round * 37) % 100) / 100)) seen.add(peer);
  t.is(seen.size, 20);
});

test("chooseUnchoked() leaves out who is not interested, and keeps within the slots", (t) => {
  const anyCandidate = fc.record({ ours: fc.boolean(), gives: fc.nat(1000), interested: fc.boolean() });
  fc.assert(
    fc.property(fc.array(anyCandidate, { maxLength: 200 }), fc.nat(999), (list, chance) => {
      const candidates = list.map(({ ours, gives, interested }, peer) => candidate(peer, ours, gives, interested));
      const chosen = chooseUnchoked(candidates, () => chance / 1000);
      for (const peer of chosen) t.true(candidates[peer].interested);
      const count = (ours: boolean, from: Iterable<number>) => [...from].filter((peer) => candidates[peer].ours === ours).length;
      const wanting = candidates.filter(({ interested }) => interested).map(({ peer }) => peer);
      t.is(count(true, chosen), Math.min(80, count(true, wanting)));
      t.is(count(false, chosen), Math.min(10, count(false, wanting)));
    }),
  );
});
