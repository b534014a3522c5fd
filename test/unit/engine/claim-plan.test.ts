import test from "ava";
import { type ClaimFacts, planClaim } from "../../../peer/engine/claim-plan.ts";

const never = (): number => {
  throw new Error("no dice are needed");
};

function facts(needed: string, change: Partial<ClaimFacts> = {}): ClaimFacts {
  return {
    pieceCount: needed.length,
    mostPieces: 3,
    isNeeded: (index) => needed[index] === "x",
    availability: undefined,
    cursor: undefined,
    ...change,
  };
}

test("planClaim() goes in order where one reads for all", (t) => {
  t.deepEqual(planClaim(facts(".xxxxx"), never), { first: 1, count: 3 });
  t.deepEqual(planClaim(facts("..x.xx"), never), { first: 2, count: 1 });
  t.deepEqual(planClaim(facts(".....x"), never), { first: 5, count: 1 });
  t.is(planClaim(facts("......"), never), undefined);
  t.is(planClaim(facts(""), never), undefined);
});

test("planClaim() begins at the reader's piece, then takes what is before it", (t) => {
  t.deepEqual(planClaim(facts("xx.xxx", { cursor: 2 }), never), { first: 3, count: 3 });
  t.deepEqual(planClaim(facts("xx....", { cursor: 2 }), never), { first: 0, count: 2 });
});

test("planClaim() in a swarm takes what fewest have, at a random place", (t) => {
  const counts = [2, 0, 0, 1, 0, 0];
  const availability = (index: number): number => counts[index];
  const among = facts("xxxxxx", { availability });
  t.deepEqual(
    planClaim(among, () => 0),
    { first: 1, count: 2 },
    "a run ends where others have more",
  );
  t.deepEqual(
    planClaim(among, () => 0.5),
    { first: 4, count: 2 },
  );
  t.deepEqual(
    planClaim(facts("x..x..", { availability }), () => 0),
    { first: 3, count: 1 },
    "one peer has it, two the other",
  );
  const starts = new Set(
    Array.from({ length: 6 }, (_, step) => planClaim(facts("xxxxxx", { availability: () => 0 }), () => step / 6)?.first),
  );
  t.is(starts.size, 6, "hosts with the same rest begin at different places");
});
