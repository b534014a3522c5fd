import test from "ava";
import fc from "fast-check";
import { BuddyArena } from "../../../peer/engine/buddy-arena.ts";

const UNIT = 16;

interface Range {
  readonly offset: number;
  readonly length: number;
}

const overlaps = (a: Range, b: Range): boolean => a.offset < b.offset + b.length && b.offset < a.offset + a.length;

test("BuddyArena: what is taken lies inside, never overlaps, and all of it can be taken again once it was given back", (t) => {
  const steps = fc.array(fc.record({ length: fc.integer({ min: 1, max: 40 * UNIT }), give: fc.boolean(), which: fc.nat() }), {
    maxLength: 80,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), steps, (units, actions) => {
      const arena = new BuddyArena(units * UNIT, UNIT);
      const taken: Range[] = [];
      for (const { length, give, which } of actions) {
        if (give && taken.length > 0) {
          const [range] = taken.splice(which % taken.length, 1);
          arena.give(range.offset, range.length);
          continue;
        }
        const offset = arena.take(length);
        if (offset < 0) continue;
        const range = { offset, length };
        t.true(offset % UNIT === 0 && offset + arena.roundUp(length) <= units * UNIT);
        t.false(taken.some((other) => overlaps(range, other)));
        taken.push(range);
      }
      for (const { offset, length } of taken) arena.give(offset, length);
      let whole = 0;
      for (let left = units; left > 0; left -= 2 ** Math.floor(Math.log2(left))) {
        t.true(arena.take(2 ** Math.floor(Math.log2(left)) * UNIT) >= 0);
        whole++;
      }
      t.true(whole > 0);
      t.is(arena.take(1), -1);
    }),
  );
});

test("BuddyArena.take() answers -1 for more than the arena, and reuses what was given back last", (t) => {
  const arena = new BuddyArena(8 * UNIT, UNIT);
  t.is(arena.take(9 * UNIT), -1);
  const first = arena.take(UNIT);
  const second = arena.take(UNIT);
  t.is(arena.take(2 * UNIT + 1), 4 * UNIT);
  arena.give(second, UNIT);
  t.is(arena.take(1), second);
  t.not(first, second);
});
