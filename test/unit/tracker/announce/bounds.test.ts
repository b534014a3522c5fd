/** How often peers announce, and how many one address may bring. */
import test from "ava";
import type { InfoHash, PeerId } from "../../../../torrents/ids.ts";
import { AddressLimits, MOST_NEW_PEERS } from "../../../../tracker/announce/address-limits.ts";
import { IntervalPlan } from "../../../../tracker/announce/interval-plan.ts";
import { makeAsk } from "../../../../tracker/swarm/ask.ts";

function ask(ip: string) {
  const made = makeAsk({ infoHash: "a".repeat(40) as InfoHash, peerId: "0".repeat(40) as PeerId, ip, port: 1 });
  if (made === undefined) throw new Error(`${ip} is no address`);
  return made;
}

/** Announces at that rate for ten seconds, and one that ends the window. */
function load(plan: IntervalPlan, perSecond: number, startMs: number): number {
  for (let count = 1; count < perSecond * 10; count++) plan.note(startMs + 1);
  plan.note(startMs + 10_000);
  return startMs + 10_000;
}

test("IntervalPlan asks as configured while announces are few", (t) => {
  const plan = new IntervalPlan({ intervalMs: 60_000 });
  load(plan, 1000, 0);
  t.deepEqual([plan.intervalS, plan.minIntervalS, plan.expireMs], [60, 5, 120_000]);
});

test("IntervalPlan stretches with the load, step by step and 15 times at most, and comes back", (t) => {
  const plan = new IntervalPlan({ intervalMs: 60_000 });
  let nowMs = load(plan, 22_500, 0);
  // 22,500 of the comfortable 15,000 a second
  t.is(plan.intervalS, 90);
  t.is(plan.minIntervalS, 8);
  nowMs = load(plan, 60_000, nowMs);
  t.is(plan.intervalS, 180, "no more than twice as long at once");
  for (let window = 0; window < 5; window++) nowMs = load(plan, 60_000, nowMs);
  t.is(plan.intervalS, 15 * 60);
  t.is(plan.expireMs, 15 * 120_000);
  nowMs = load(plan, 10, nowMs);
  t.is(plan.intervalS, 450, "half as long at once");
  t.true(plan.expireMs > 2 * 450_000, "who was told to come in 15 minutes is still waited for");
  for (let window = 0; window < 400; window++) nowMs = load(plan, 10, nowMs);
  t.deepEqual([plan.intervalS, plan.expireMs], [60, 120_000]);
});

test("AddressLimits admits so many new peers of an address, or /64, in a period; others do not suffer", (t) => {
  const limits = new AddressLimits({ key: new Int32Array([1, 2, 3, 4]), periodMs: () => 1000 });
  const admitted = (ip: string, nowMs = 0) => limits.admit(ask(ip), nowMs);
  for (let count = 0; count < MOST_NEW_PEERS; count++) t.true(admitted("192.0.2.1"));
  t.false(admitted("192.0.2.1"));
  t.true(admitted("192.0.2.2"));
  for (let count = 0; count < MOST_NEW_PEERS; count++) admitted(`2001:db8::${(count % 60_000).toString(16)}`);
  t.false(admitted("2001:db8::ffff"));
  t.true(admitted("2001:db8:0:1::1"));
  t.true(admitted("192.0.2.1", 1001), "a new period");
});

test("AddressLimits has none for this machine", (t) => {
  const limits = new AddressLimits({ key: new Int32Array(4), periodMs: () => 1000 });
  for (const ip of ["127.0.0.1", "::1"]) for (let count = 0; count <= MOST_NEW_PEERS; count++) t.true(limits.admit(ask(ip), 0));
});
