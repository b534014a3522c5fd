import test from "ava";
import fc from "fast-check";
import { RequestDepth } from "../../../peer/engine/request-depth.ts";

const LEAST = 256 * 1024;
const MOST = 4 * 1024 * 1024;

test("RequestDepth.targetBytes stays within its bounds, whatever is measured", (t) => {
  const events = fc.array(fc.record({ bytes: fc.nat(10_000_000), ms: fc.nat(5000), answerMs: fc.nat(100_000) }), { maxLength: 50 });
  fc.assert(
    fc.property(events, (todo) => {
      const depth = new RequestDepth(LEAST, 0);
      let nowMs = 0;
      for (const { bytes, ms, answerMs } of todo) {
        depth.onFirstAnswer(answerMs, nowMs);
        depth.onBytes(bytes, (nowMs += ms));
        t.true(depth.targetBytes >= LEAST && depth.targetBytes <= MOST);
      }
    }),
  );
});

test("RequestDepth.targetBytes becomes rate × (0.15 s + round trip)", (t) => {
  const depth = new RequestDepth(LEAST, 0);
  depth.onFirstAnswer(80, 80);
  depth.onFirstAnswer(50, 50);
  depth.onFirstAnswer(400, 400);
  for (let turn = 1; turn <= 50; turn++) depth.onBytes(1_000_000, turn * 100);
  t.true(Math.abs(depth.bytesPerSecond - 10_000_000) < 1);
  t.is(Math.round(depth.targetBytes), 10_000_000 * 0.2);
});

test("RequestDepth begins with the least, and forgets an old rate after a pause of a second", (t) => {
  const depth = new RequestDepth(LEAST, 0);
  t.is(depth.targetBytes, LEAST);
  for (let turn = 1; turn <= 50; turn++) depth.onBytes(1_000_000, turn * 100);
  depth.onBytes(1100, 5000 + 1100);
  t.is(depth.bytesPerSecond, 1000);
});

test("RequestDepth doubles with each round trip until a measurement says that the peer gives less", (t) => {
  const depth = new RequestDepth(LEAST, 0);
  depth.onFirstAnswer(10, 10);
  for (let nowMs = 10; nowMs <= 90; nowMs += 20) depth.onBytes(100_000, nowMs);
  t.is(depth.targetBytes, LEAST + 500_000);
  depth.onBytes(100_000, 100);
  t.is(Math.round(depth.targetBytes), 6_000_000 * 0.16);
  for (let turn = 2; turn <= 20; turn++) depth.onBytes(300_000, turn * 100);
  t.true(Math.abs(depth.targetBytes - 3_000_000 * 0.16) < 10);
});
