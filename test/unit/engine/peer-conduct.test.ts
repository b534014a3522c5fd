import test from "ava";
import { addressKey, PeerConduct } from "../../../peer/engine/peer-conduct.ts";
import { SmartBan } from "../../../peer/engine/smart-ban.ts";
import type { PeerId } from "../../../torrents/ids.ts";

const MINUTE_MS = 60_000;
const peer = (number: number) => ({ id: `id${number}` as PeerId, host: "10.0.0.1", port: 6000 + number });
const wrong = { offence: "bad_block", reason: "wrong hash" } as const;
const stall = { offence: "stalled", reason: "silent" } as const;

test("PeerConduct bans at once for proved lies, by id and by address, and the ban ends", (t) => {
  const conduct = new PeerConduct();
  t.like(conduct.note(peer(1), wrong, 0), { host: "10.0.0.1", port: 6001, offence: "bad_block", untilMs: 30 * MINUTE_MS });
  t.true(conduct.isBanned("id1", 1));
  t.true(conduct.isBanned(addressKey(peer(1)), 29 * MINUTE_MS));
  t.false(conduct.isBanned(addressKey(peer(2)), 1), "another peer of the same host");
  t.false(conduct.isBanned("id1", 30 * MINUTE_MS));
  t.deepEqual(conduct.banned(30 * MINUTE_MS), []);
});

test("PeerConduct: five stalls in a row are enough, five in an hour are not", (t) => {
  const conduct = new PeerConduct();
  const verdicts = [0, 1, 2, 3, 4].map((number) => conduct.note(peer(1), stall, number * 100));
  t.deepEqual(
    verdicts.map((verdict) => verdict !== undefined),
    [false, false, false, false, false],
    "a little has been forgiven by the fifth",
  );
  t.like(conduct.note(peer(1), stall, 500), { offence: "stalled", offences: { stalled: 6 } });
  for (let number = 0; number < 5; number++) t.is(conduct.note(peer(2), stall, number * 12 * MINUTE_MS), undefined);
});

test("PeerConduct doubles the next ban of the same peer, up to hours, and forgives in the end", (t) => {
  const conduct = new PeerConduct();
  const lengths: number[] = [];
  let nowMs = 0;
  for (let ban = 0; ban < 6; ban++) {
    const banned = conduct.note(peer(1), wrong, nowMs);
    lengths.push(((banned?.untilMs ?? 0) - nowMs) / MINUTE_MS);
    nowMs = banned?.untilMs ?? 0;
  }
  t.deepEqual(lengths, [30, 60, 120, 240, 240, 240]);
  t.is(conduct.note(peer(1), wrong, nowMs + 24 * 60 * MINUTE_MS)?.offences.bad_block, 1);
});

test("PeerConduct knows a peer by its address when it comes back with another id", (t) => {
  const conduct = new PeerConduct();
  conduct.note(peer(1), wrong, 0);
  t.true(conduct.isBanned(addressKey(peer(1)), 1));
  t.is(conduct.note({ ...peer(1), id: "other" as PeerId }, stall, 1), undefined, "the ban holds");
  t.true(conduct.isBanned("other", 2));
});

test("PeerConduct bounds what it remembers, and keeps bans", (t) => {
  const conduct = new PeerConduct();
  conduct.note(peer(0), wrong, 0);
  for (let number = 1; number < 5000; number++) conduct.note(peer(number), stall, 1);
  t.true(conduct.isBanned("id0", 2));
  t.is(conduct.banned(2).length, 1);
});

test("SmartBan names who brought blocks that turned out different", (t) => {
  const ban = new SmartBan<string>();
  const good = Buffer.alloc(3 * 16384 - 100, 7);
  const bad = Buffer.from(good);
  bad[16384] ^= 1;
  bad[good.length - 1] ^= 1;
  ban.onBad(4, bad, ["a", "b", "c"]);
  t.deepEqual([...ban.onGood(3, good)], []);
  t.deepEqual([...ban.onGood(4, good)], ["b", "c"]);
  t.deepEqual([...ban.onGood(4, good)], [], "once");
  // two failures of the same piece: both are remembered
  ban.onBad(5, bad, ["a", "b", "a"]);
  const worse = Buffer.from(good);
  worse[0] ^= 1;
  ban.onBad(5, worse, ["d", "a", "a"]);
  t.deepEqual([...ban.onGood(5, good)].sort(), ["a", "b", "d"]);
  for (let piece = 0; piece < 100; piece++) ban.onBad(piece, bad, ["a", "b", "c"]);
  t.deepEqual([...ban.onGood(0, good)], [], "of few pieces only");
});
