/** The tree of limits with a clock that the test moves: rates, shares, and who waits. */
import { mock } from "node:test";
import test from "ava";
import { Limiter } from "../../../system/limiter.ts";

const BLOCK_BYTES = 1000;

/** A clock that node's timers follow. */
function virtualTime() {
  mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 0;
  return {
    clock: { nowMs: () => nowMs },
    run: (ms: number): void => {
      for (let step = 0; step < ms; step++) {
        nowMs++;
        mock.timers.tick(1);
      }
    },
    [Symbol.dispose]: () => mock.timers.reset(),
  };
}

/** Takes as much as it can, `links` at once, as a download with so many connections does. */
function greedy(limiter: Limiter, links = 1) {
  const state = { bytes: 0, wanting: true };
  for (let link = 0; link < links; link++) {
    const pump = (): void => {
      while (state.wanting && limiter.tryTake(BLOCK_BYTES, pump)) state.bytes += BLOCK_BYTES;
    };
    pump();
  }
  return state;
}

function near(actual: number, expected: number, share = 0.03): boolean {
  return Math.abs(actual - expected) <= expected * share;
}

test.serial("Limiter holds each level's rate over 10 s within 3 %, however many take", (t) => {
  for (const count of [1, 2, 7]) {
    using time = virtualTime();
    const host = new Limiter(time.clock, 1_000_000);
    const takers = Array.from({ length: count }, () => greedy(new Limiter(time.clock, 0, host), 3));
    time.run(10_000);
    const sum = takers.reduce((total, { bytes }) => total + bytes, 0);
    t.true(near(sum, 10_000_000), `${count} took ${sum}`);
    for (const { bytes } of takers) t.true(near(bytes, sum / count), `${bytes} of ${sum} for each of ${count}`);
    host.close();
  }
});

test.serial("Limiter shares by task, not by the number of a task's connections", (t) => {
  using time = virtualTime();
  const host = new Limiter(time.clock, 1_000_000);
  const one = greedy(new Limiter(time.clock, 0, host), 1);
  const many = greedy(new Limiter(time.clock, 0, host), 50);
  time.run(10_000);
  t.true(near(one.bytes, 5_000_000), `${one.bytes} against ${many.bytes}`);
});

test.serial("Limiter shares by weight, and a task below its share leaves the rest to the others", (t) => {
  using time = virtualTime();
  const host = new Limiter(time.clock, 1_000_000);
  const leaf = (weight: number, rate = 0): Limiter => {
    const limiter = new Limiter(time.clock, rate);
    limiter.move({ parent: host, weight });
    return limiter;
  };
  const heavy = greedy(leaf(4), 2);
  const light = greedy(leaf(1), 2);
  const capped = greedy(leaf(64, 100_000), 2);
  time.run(10_000);
  t.true(near(capped.bytes, 1_000_000), `capped: ${capped.bytes}`);
  // of the remaining 900,000 bytes a second four fifths and one fifth
  t.true(near(heavy.bytes, 7_200_000), `heavy: ${heavy.bytes}`);
  t.true(near(light.bytes, 1_800_000), `light: ${light.bytes}`);
});

test.serial("Limiter: the middle level (a class) holds its children together, and nobody else", (t) => {
  using time = virtualTime();
  const host = new Limiter(time.clock, 1_000_000);
  const slow = new Limiter(time.clock, 200_000, host);
  const fast = new Limiter(time.clock, 0, host);
  const inSlow = [1, 2].map(() => greedy(new Limiter(time.clock, 0, slow), 2));
  const inFast = greedy(new Limiter(time.clock, 0, fast), 2);
  time.run(10_000);
  for (const { bytes } of inSlow) t.true(near(bytes, 1_000_000), `${bytes}`);
  t.true(near(inFast.bytes, 8_000_000), `${inFast.bytes}`);
});

test.serial("Limiter.take() gets the same share as tryTake()", async (t) => {
  using time = virtualTime();
  const host = new Limiter(time.clock, 1_000_000);
  const pumped = greedy(new Limiter(time.clock, 0, host), 3);
  const leaf = new Limiter(time.clock, 0, host);
  let awaited = 0;
  const ended = (async () => {
    while (pumped.wanting) {
      await leaf.take(BLOCK_BYTES);
      awaited += BLOCK_BYTES;
    }
  })();
  for (let step = 0; step < 10_000; step++) {
    time.run(1);
    await Promise.resolve();
    await Promise.resolve();
  }
  t.true(near(awaited, 5_000_000, 0.05), `${awaited} against ${pumped.bytes}`);
  t.true(near(awaited + pumped.bytes, 10_000_000), `${awaited + pumped.bytes}`);
  pumped.wanting = false;
  leaf.close();
  await ended;
});

test.serial("Limiter: a task that comes later gets its share at once, and no more", (t) => {
  using time = virtualTime();
  const host = new Limiter(time.clock, 1_000_000);
  const early = greedy(new Limiter(time.clock, 0, host));
  time.run(10_000);
  const before = early.bytes;
  const late = greedy(new Limiter(time.clock, 0, host));
  time.run(1_000);
  t.true(near(late.bytes, 500_000), `${late.bytes}`);
  t.true(near(early.bytes - before, 500_000), `${early.bytes - before}`);
});

test.serial("Limiter.setRate() and move() hold at once", (t) => {
  using time = virtualTime();
  const host = new Limiter(time.clock, 1_000);
  const leaf = new Limiter(time.clock, 0, host);
  const taker = greedy(leaf);
  time.run(100);
  const slow = taker.bytes;
  host.setRate(1_000_000);
  time.run(1_000);
  t.true(near(taker.bytes - slow, 1_000_000, 0.05), `${taker.bytes - slow}`);
  taker.wanting = false;
  time.run(2_000);
  const other = new Limiter(time.clock, 100_000);
  const again = greedy(leaf);
  leaf.move({ parent: other, weight: 1 });
  const moved = again.bytes;
  time.run(10_000);
  t.true(near(again.bytes - moved, 1_000_000, 0.05), `${again.bytes - moved}`);
  again.wanting = false;
  other.setRate(0);
  t.true(leaf.tryTake(1e12, () => undefined));
});

test.serial("Limiter.take() waits, and ends when the limiter is closed", async (t) => {
  using time = virtualTime();
  const host = new Limiter(time.clock, 1_000);
  const leaf = new Limiter(time.clock, 0, host);
  time.run(10);
  t.is(leaf.take(1_000_000), undefined, "one take may overdraw");
  const waiting = leaf.take(1);
  t.not(waiting, undefined);
  leaf.close();
  await waiting;
  t.is(leaf.take(1_000_000), undefined, "a closed limiter holds nobody");
  t.false(
    new Limiter(time.clock, 0, host).tryTake(1, () => undefined),
    "its parent goes on",
  );
  host.close();
});

test.serial("Limiter without rates never asks the clock", (t) => {
  let asked = 0;
  const clock = { nowMs: () => asked++ };
  const leaf = new Limiter(clock, 0, new Limiter(clock, 0));
  asked = 0;
  for (let take = 0; take < 100; take++) t.true(leaf.tryTake(1e9, () => undefined));
  leaf.refund(1e9);
  t.is(asked, 0);
});
