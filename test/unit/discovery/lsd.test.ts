/** Local service discovery: words, plan, and two of ours on the loopback. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import test from "ava";
import fc from "fast-check";
import { Lsd } from "../../../peer/discovery/lsd.ts";
import { ANSWER_WITHIN_MS, ENOUGH_ANSWERS, LEAST_GAP_MS, LsdPlan, REGULAR_MS, STARVING_MS } from "../../../peer/discovery/lsd-plan.ts";
import { encodeSearch, LSD_GROUP_V4, LSD_GROUP_V6, MOST_HASHES, parseSearch } from "../../../peer/discovery/lsd-words.ts";
import { silentLogger } from "../../../system/logger.ts";
import type { InfoHash } from "../../../torrents/ids.ts";

const HASH = "ab".repeat(20) as InfoHash;
const OTHER = "cd".repeat(20) as InfoHash;

test("encodeSearch() writes what BEP 14 says, and parseSearch() reads it back", (t) => {
  const search = { port: 6881, infoHashes: [HASH, OTHER], cookie: "name", isAnswer: false };
  const bytes = encodeSearch({ ...search, group: LSD_GROUP_V4 });
  t.true(bytes.toString().startsWith("BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: abab"));
  t.true(bytes.toString().endsWith("\r\n\r\n\r\n"));
  t.deepEqual(parseSearch(bytes), search);
  t.true(encodeSearch({ ...search, group: LSD_GROUP_V6 }).includes("Host: [ff15::efc0:988f]:6771"));
  t.true(parseSearch(encodeSearch({ ...search, isAnswer: true, group: LSD_GROUP_V4 }))?.isAnswer);
  const many = Array.from({ length: 100 }, (_, index) => index.toString(16).padStart(40, "0") as InfoHash);
  const full = encodeSearch({ ...search, infoHashes: many, group: LSD_GROUP_V6 });
  t.true(full.length <= 1400);
  t.is(parseSearch(full)?.infoHashes.length, MOST_HASHES);
});

test("parseSearch() takes other clients' spelling, and nothing that makes no sense", (t) => {
  const upper = `BT-SEARCH * HTTP/1.1\r\nhost: x\r\nPORT: 5\r\nInfohash: ${HASH.toUpperCase()}\r\n\r\n\r\n`;
  t.like(parseSearch(Buffer.from(upper)), { port: 5, infoHashes: [HASH] });
  for (const text of ["", "GET / HTTP/1.1\r\n", upper.replace("PORT: 5", "PORT: 0"), upper.replace(/Infohash.*\r\n/, ""), upper.repeat(20)])
    t.is(parseSearch(Buffer.from(text)), undefined);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1500 }), (bytes) => (parseSearch(Buffer.from(bytes))?.infoHashes.length ?? 1) > 0));
});

test("LsdPlan announces at once, then every five minutes; a download that lacks peers four times a minute", (t) => {
  const plan = new LsdPlan();
  plan.add(HASH, 0);
  t.deepEqual(plan.take(0), { infoHashes: [HASH], isAnswer: false });
  t.deepEqual(plan.take(0).infoHashes, []);
  t.is(plan.nextMs(0), REGULAR_MS);
  plan.hurry(HASH, 1_000);
  t.is(plan.nextMs(1_000), STARVING_MS - 1_000);
  plan.delete(HASH);
  t.is(plan.nextMs(0), undefined);
});

test("LsdPlan answers a search within a moment, but not more often than allowed", (t) => {
  const plan = new LsdPlan();
  plan.add(HASH, 0);
  plan.take(0);
  const heard = { isAnswer: false, hasPieces: true, nowMs: 100_000, random: 0.5 };
  t.true(plan.onHeard(HASH, heard));
  t.is(plan.nextMs(100_000), ANSWER_WITHIN_MS / 2);
  t.deepEqual(plan.take(100_250), { infoHashes: [HASH], isAnswer: true });
  plan.onHeard(HASH, { ...heard, nowMs: 100_300 });
  t.is(plan.nextMs(100_250), LEAST_GAP_MS);
  t.false(plan.onHeard(OTHER, heard));
});

test("LsdPlan keeps quiet where it has nothing, and where enough others answered", (t) => {
  const plan = new LsdPlan();
  plan.add(HASH, 0);
  plan.take(0);
  const heard = { isAnswer: false, hasPieces: false, nowMs: 100_000, random: 0.5 };
  plan.onHeard(HASH, heard);
  t.is(plan.nextMs(100_000), REGULAR_MS - 100_000);
  plan.onHeard(HASH, { ...heard, hasPieces: true });
  for (let count = 0; count < ENOUGH_ANSWERS; count++) plan.onHeard(HASH, { ...heard, isAnswer: true });
  t.deepEqual(plan.take(101_000).infoHashes, []);
  t.is(plan.nextMs(101_000), REGULAR_MS);
});

test("LsdPlan reads a hundred datagrams a second", (t) => {
  const plan = new LsdPlan();
  const read = Array.from({ length: 150 }, () => plan.mayRead(5)).filter(Boolean);
  t.is(read.length, 100);
  t.true(plan.mayRead(1_005));
});

/** The loopback has no route for IPv6 multicast. */
const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal, scopeid }) => family === "IPv6" && !internal && scopeid === 0);

for (const { name, host } of [
  { name: "over IPv4", host: "127.0.0.1" },
  { name: "over IPv6", host: outside?.address },
]) {
  const where = host === undefined ? test.skip : test;
  where(`Lsd finds another ${name}, which answers its search`, async (t) => {
    if (host === undefined) return;
    const infoHash = randomBytes(20).toString("hex") as InfoHash;
    const options = { clock: { nowMs: () => performance.now() }, random: () => 0, logger: silentLogger };
    await using seed = new Lsd({ ...options, listen: { host, port: 5001 } });
    await using leech = new Lsd({ ...options, listen: { host, port: 5002 } });
    const toSeed = Promise.withResolvers<object>();
    const toLeech = Promise.withResolvers<object>();
    using _ = seed.join({ infoHash, hasPieces: () => true, onPeer: toSeed.resolve });
    using __ = leech.join({ infoHash, hasPieces: () => false, onPeer: toLeech.resolve });
    const limit = AbortSignal.timeout(20_000);
    const late = once(limit, "abort").then(() => Promise.reject(new Error("nobody was heard")));
    t.deepEqual(await Promise.race([toSeed.promise, late]), { host, port: 5002 });
    t.deepEqual(await Promise.race([toLeech.promise, late]), { host, port: 5001 });
  });
}
