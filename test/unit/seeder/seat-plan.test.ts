import test from "ava";
import { EMPTY_MS, givesWay, isOver, STILL_MS } from "../../../seeder/seat-plan.ts";

test("isOver(): a minute without connections, ten with still ones", (t) => {
  t.false(isOver({ connections: 0, usedMs: 0 }, EMPTY_MS - 1));
  t.true(isOver({ connections: 0, usedMs: 0 }, EMPTY_MS));
  t.false(isOver({ connections: 3, usedMs: 0 }, STILL_MS - 1));
  t.true(isOver({ connections: 3, usedMs: 0 }, STILL_MS));
});

test("givesWay() names the seat that is unused for longest, and none that is in use", (t) => {
  const seats = [
    { connections: 1, usedMs: 20_000 },
    { connections: 0, usedMs: 10_000 },
    { connections: 2, usedMs: 15_000 },
  ];
  t.is(givesWay(seats, 60_000), seats[1]);
  t.is(givesWay(seats, 24_999), undefined);
  t.is(givesWay([], 60_000), undefined);
});
