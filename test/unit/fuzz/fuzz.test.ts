/** A short run of each fuzz target, with a new seed each time; long ones are `npm run fuzz`. */
import test from "ava";
import { mutated } from "../../fuzz/mutate.ts";
import { seededRandom } from "../../fuzz/random.ts";
import { runTarget } from "../../fuzz/run-target.ts";
import type { FuzzTarget } from "../../fuzz/target.ts";
import { TARGETS } from "../../fuzz/targets.ts";

const RUNS = 2000;
/** Other tests run beside this one. */
const MOST_MS = 5000;

for (const target of TARGETS) {
  test(`${target.name}: its samples are good, and broken ones are refused or read, never more`, (t) => {
    const seed = Date.now() % 2 ** 31;
    const result = runTarget(target, { runs: RUNS, seed, mostMs: MOST_MS });
    t.is(result.fault, undefined, `seed ${seed}, input ${result.fault?.input.toString("base64")}: ${result.fault?.why}`);
    t.is(result.runs, RUNS);
  });
}

test("mutated() makes the same of the same seed, and mostly something else than the sample", (t) => {
  const samples = [Buffer.from("d1:ai1e1:bi2ee"), Buffer.from("l4:spame")];
  const make = (seed: number): string[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 200 }, () => mutated(samples, random).toString("hex"));
  };
  t.deepEqual(make(5), make(5));
  const texts = new Set(samples.map((sample) => sample.toString("hex")));
  t.true(make(6).filter((text) => !texts.has(text)).length > 120);
});

test("runTarget() tells of a fault with its input, and lets refusals pass", (t) => {
  const target: FuzzTarget = {
    name: "broken",
    samples: () => [Buffer.from("aaaa")],
    run: (input) => {
      if (input.length > 0 && !input.every((byte) => byte === 0x61)) throw new TypeError("not all a");
    },
  };
  const { fault } = runTarget(target, { runs: 1000, seed: 1, mostMs: MOST_MS });
  t.regex(fault?.why ?? "", /not all a/);
  t.throws(() => target.run(fault?.input ?? Buffer.alloc(0), seededRandom(1)), { instanceOf: TypeError });
});
