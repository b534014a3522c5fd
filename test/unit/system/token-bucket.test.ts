import test from "ava";
import fc from "fast-check";
import { TokenBucket } from "../../../system/token-bucket.ts";

const BURST_SECONDS = 0.2;

test("TokenBucket lets no more through than its rate, a burst and one overdraft, over any time", (t) => {
  const wishes = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 20_000 }), idleMs: fc.nat(400) }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1000, max: 1_000_000 }), wishes, (rate, todo) => {
      const bucket = new TokenBucket(rate, 0);
      const taken: { atMs: number; bytes: number }[] = [];
      let nowMs = 0;
      for (const { bytes, idleMs } of todo) {
        nowMs += idleMs;
        const waitMs = bucket.waitMs(nowMs);
        if (waitMs > 0) {
          nowMs += waitMs;
          if (bucket.waitMs(nowMs) > 2) t.fail("the wait that it told was not enough");
          while (bucket.waitMs(nowMs) > 0) nowMs++;
        }
        bucket.take(bytes);
        taken.push({ atMs: nowMs, bytes });
      }
      for (const [first, start] of taken.entries()) {
        let sum = 0;
        for (const { atMs, bytes } of taken.slice(first)) {
          const allowed = rate * ((atMs - start.atMs) / 1000 + BURST_SECONDS);
          if (sum > allowed + 1) t.fail(`${sum} bytes in ${atMs - start.atMs} ms before one more take, ${allowed} allowed`);
          sum += bytes;
        }
      }
      t.pass();
    }),
    { numRuns: 50 },
  );
});

test("TokenBucket uses its rate up: 100 kB at 10 kB/s take ten seconds", (t) => {
  const bucket = new TokenBucket(10_000, 0);
  let nowMs = 0;
  for (let moved = 0; moved < 100_000; moved += 1000) {
    nowMs += bucket.waitMs(nowMs);
    bucket.take(1000);
  }
  t.true(Math.abs(nowMs - 10_000) <= 200, `${nowMs} ms`);
});

test("TokenBucket at rate 0 never waits", (t) => {
  const bucket = new TokenBucket(0, 0);
  bucket.take(1e12);
  t.is(bucket.waitMs(0), 0);
});

test("TokenBucket starts empty, and waits a debt off", (t) => {
  const bucket = new TokenBucket(1000, 0);
  t.is(bucket.waitMs(0), 1);
  t.is(bucket.waitMs(10), 0);
  bucket.take(1010);
  t.is(bucket.waitMs(10), 1000);
  t.is(bucket.waitMs(510), 500);
});

test("TokenBucket.refund() gives back what was not moved", (t) => {
  const bucket = new TokenBucket(1000, 0);
  bucket.waitMs(100);
  bucket.take(1000);
  bucket.refund(1000);
  t.is(bucket.waitMs(100), 0);
});

test("TokenBucket.setRate() holds at once, in both directions", (t) => {
  const bucket = new TokenBucket(1_000_000, 0);
  bucket.waitMs(1000);
  bucket.setRate(1000, 1000);
  t.is(bucket.bytesPerSecond, 1000);
  bucket.take(1200);
  t.is(bucket.waitMs(1000), 1000, "of the old burst 200 bytes are left: one fifth of a second at the new rate");
  bucket.setRate(0, 1000);
  t.is(bucket.waitMs(1000), 0);
});

test("TokenBucket survives a clock that goes back", (t) => {
  const bucket = new TokenBucket(1000, 10_000);
  bucket.waitMs(10_100);
  bucket.take(100);
  t.true(bucket.waitMs(5000) >= 0);
  t.true(bucket.waitMs(5010) <= 1);
});
