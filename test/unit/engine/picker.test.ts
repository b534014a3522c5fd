import test from "ava";
import fc from "fast-check";
import { Bitfield } from "../../../peer/engine/bitfield.ts";
import { type Choice, Picker } from "../../../peer/engine/picker.ts";

const PIECES = 20;

function fieldOf(indices: Iterable<number>, length = PIECES): Bitfield {
  const field = new Bitfield(length);
  for (const index of indices) field.add(index);
  return field;
}

/** Every piece of the holder may be picked. */
function anyOf(holder: Bitfield): Choice {
  return { holder, allowed: [], taken: [] };
}

/** Numbers in [0, 1) that are the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const someIndices = fc.uniqueArray(fc.nat(PIECES - 1));

test("Picker.pick() gives a wanted piece of the holder that is as rare as any, or -1 where there is none", (t) => {
  fc.assert(
    fc.property(fc.array(someIndices, { maxLength: 6 }), someIndices, fc.nat(), (holders, wantedList, seed) => {
      const picker = new Picker(PIECES);
      for (const indices of holders) picker.addHolders(fieldOf(indices));
      const wanted = new Set(wantedList);
      const holder = fieldOf(holders[0] ?? []);
      const taken = fieldOf([...Array(PIECES).keys()].filter((index) => !wanted.has(index) && index % 2 === 0));
      const checkable = fieldOf([...Array(PIECES).keys()].filter((index) => wanted.has(index) || index % 2 === 0));
      const picked = picker.pick({ holder, allowed: [checkable], taken: [taken] }, randomOf(seed));
      const possible = (holders[0] ?? []).filter((index) => wanted.has(index)).map((index) => picker.availability(index));
      if (possible.length === 0) return t.is(picked, -1);
      t.true(holder.has(picked) && wanted.has(picked));
      t.is(picker.availability(picked), Math.min(...possible));
    }),
  );
});

test("Picker availability is the number of holders that came and did not go", (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(someIndices, fc.boolean()), { maxLength: 8 }), (holders) => {
      const picker = new Picker(PIECES);
      for (const [indices] of holders) picker.addHolders(fieldOf(indices));
      for (const [indices, leaves] of holders) if (leaves) picker.removeHolders(fieldOf(indices));
      const staying = holders.filter(([, leaves]) => !leaves);
      for (let index = 0; index < PIECES; index++) {
        t.is(picker.availability(index), staying.filter(([indices]) => indices.includes(index)).length);
      }
    }),
  );
});

test("Picker.pick() breaks ties evenly: 4 pieces, 4000 picks, each about 1000 times", (t) => {
  const picker = new Picker(4);
  const holder = fieldOf([0, 1, 2, 3], 4);
  picker.addHolders(holder);
  const random = randomOf(12345);
  const counts = [0, 0, 0, 0];
  for (let turn = 0; turn < 4000; turn++) counts[picker.pick(anyOf(holder), random)]++;
  // six standard deviations: 6 × √(4000 × ¼ × ¾) = 164
  for (const count of counts) t.true(Math.abs(count - 1000) < 164, counts.join(" "));
});

test("Picker.pick() goes in order within 16 pieces behind the cursor, then rarest first again", (t) => {
  const picker = new Picker(40);
  const all = fieldOf(Array(40).keys(), 40);
  const some = fieldOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 38], 40);
  picker.addHolders(all);
  picker.addHolders(fieldOf(Array(39).keys(), 40));
  picker.addHolders(some);
  picker.setCursor(3);
  const taken = new Bitfield(40);
  const order: number[] = [];
  for (let turn = 0; turn < 17; turn++) {
    const index = picker.pick({ holder: all, allowed: [], taken: [taken] }, randomOf(1));
    taken.add(index);
    order.push(index);
  }
  t.deepEqual(order, [...Array.from({ length: 16 }, (_, step) => 3 + step), 39]);
  picker.setCursor(undefined);
  t.not(
    picker.pick(anyOf(all), () => 0),
    3,
  );
});

test("Picker.pick() with the cursor on the last piece stays within the file", (t) => {
  const picker = new Picker(5);
  const holder = fieldOf([0, 4], 5);
  picker.addHolders(holder);
  picker.setCursor(4);
  t.is(picker.pick(anyOf(holder), randomOf(1)), 4);
  t.is(picker.pick({ holder, allowed: [], taken: [fieldOf([4], 5)] }, randomOf(1)), 0);
});

test("Picker.pick() finds the last wanted piece of a torrent with very many", (t) => {
  const count = 50_000;
  const picker = new Picker(count);
  const holder = new Bitfield(count);
  holder.addAll();
  picker.addHolders(holder);
  const last = 12_345;
  for (let seed = 1; seed <= 20; seed++) {
    const index = picker.pick({ holder, allowed: [fieldOf([last], count)], taken: [] }, randomOf(seed * 7919));
    t.is(index, last, `seed ${seed * 7919}`);
  }
});
