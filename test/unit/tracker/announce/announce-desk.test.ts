import test from "ava";
import type { InfoHash, PeerId } from "../../../../torrents/ids.ts";
import { AnnounceDesk } from "../../../../tracker/announce/announce-desk.ts";
import { HostClaims } from "../../../../tracker/announce/host-claims.ts";
import { IntervalPlan } from "../../../../tracker/announce/interval-plan.ts";
import { makeAsk } from "../../../../tracker/swarm/ask.ts";
import { SwarmStore } from "../../../../tracker/swarm/swarm-store.ts";

const PRIVATE = "a".repeat(40) as InfoHash;
const PUBLIC = "b".repeat(40) as InfoHash;
const PASSKEY = "0".repeat(32);

function makeDesk() {
  const store = new SwarmStore({ expireMs: () => 60_000 });
  const clock = { nowMs: () => 0 };
  const claims = new HostClaims(Buffer.alloc(32));
  return new AnnounceDesk({ store, claims, intervals: new IntervalPlan({ intervalMs: 60_000 }), clock, random: () => 0, open: false });
}

function ask(ip: string, infoHash: InfoHash, port = 6881) {
  return makeAsk({ infoHash, peerId: "2d5554333630302d000000000000000000000000" as PeerId, ip, port, left: 0 }) ?? assertNever();
}

function assertNever(): never {
  throw new Error("no address");
}

const key = (hash: InfoHash) => Buffer.from(hash, "hex").toString("latin1");

test("AnnounceDesk.scrape() counts a private swarm for who brings its passkey, and for who is in it; for others it does not exist", (t) => {
  const desk = makeDesk();
  desk.store.join({ finals: [PRIVATE], passkey: PASSKEY });
  desk.store.join({ finals: [PUBLIC] });
  t.is(desk.announce(ask("10.0.0.1", PRIVATE), "", "udp"), undefined, "no passkey");
  t.truthy(desk.announce(ask("10.0.0.1", PRIVATE), PASSKEY, "udp"));
  const seen = (passkey: string, member?: ReturnType<typeof ask>) =>
    desk.scrape([key(PRIVATE), key(PUBLIC)], passkey, member).map(({ hash, complete }) => [hash === key(PRIVATE), complete]);
  t.deepEqual(seen(""), [[false, 0]]);
  t.deepEqual(seen(PASSKEY), [
    [true, 1],
    [false, 0],
  ]);
  // from another port, as a client's scrape comes
  t.deepEqual(seen("", ask("10.0.0.1", PRIVATE, 1234)), [
    [true, 1],
    [false, 0],
  ]);
  t.deepEqual(seen("", ask("10.0.0.2", PRIVATE)), [[false, 0]]);
});

test("AnnounceDesk.scrape() looks for an address in so many private swarms only", (t) => {
  const desk = makeDesk();
  const hashes = Array.from({ length: 10 }, (_, index) => String(index).repeat(40) as InfoHash);
  for (const hash of hashes) {
    desk.store.join({ finals: [hash], passkey: PASSKEY });
    desk.announce(ask("10.0.0.1", hash), PASSKEY, "udp");
  }
  t.is(desk.scrape(hashes.map(key), "", ask("10.0.0.1", PRIVATE)).length, 4);
});
