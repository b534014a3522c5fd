import test from "ava";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { HostClaims } from "../../../tracker/announce/host-claims.ts";
import { type Accusation, PeerStanding } from "../../../tracker/peer-standing.ts";
import { advertisedBy, parseGood, parseReports, type Reporter, takePraise, takeReport } from "../../../tracker/report-routes.ts";
import { SeederHealth } from "../../../tracker/seeder-health.ts";
import { makeAsk, UNKNOWN_SHARE } from "../../../tracker/swarm/ask.ts";
import { SwarmStore } from "../../../tracker/swarm/swarm-store.ts";

const TARGET = "10.0.0.9 6881";
const MINUTE_MS = 60_000;

function accuse(reporter: number, more: Partial<Accusation> = {}): Accusation {
  return { reporter: `10.0.0.${reporter}`, target: TARGET, offence: "bad_block", reason: "wrong hash", others: 10, ...more };
}

test("PeerStanding: one liar bans nobody, however often he tries", (t) => {
  const standing = new PeerStanding();
  for (let turn = 0; turn < 100; turn++) t.false(standing.report(accuse(1), turn));
  t.deepEqual(standing.bans(100), []);
  t.is(
    standing.of(() => TARGET, 100),
    Math.round(100 * (1 - 1 / 1.5)),
    "but its success is thought to be less",
  );
  t.is(
    standing.of(() => "10.0.0.8 6881", 100),
    UNKNOWN_SHARE,
  );
});

test("PeerStanding: three addresses with evidence ban; the ban ends, and the next one is longer", (t) => {
  const standing = new PeerStanding();
  const banAt = (nowMs: number) => [1, 2, 3].map((reporter) => standing.report(accuse(reporter), nowMs));
  t.deepEqual(banAt(0), [false, false, true]);
  t.is(
    standing.of(() => TARGET, 0),
    undefined,
  );
  t.like(standing.bans(0), [{ peer: TARGET, reason: "wrong hash", voices: 3, secondsLeft: 600 }]);
  t.is(
    standing.of(() => TARGET, 10 * MINUTE_MS),
    UNKNOWN_SHARE,
  );
  t.true(banAt(11 * MINUTE_MS).includes(true));
  t.is(standing.bans(11 * MINUTE_MS)[0].secondsLeft, 1200);
});

test("PeerStanding: two voices do in a swarm of three, and weak offences take more", (t) => {
  const small = new PeerStanding();
  t.false(small.report(accuse(1, { others: 2 }), 0));
  t.true(small.report(accuse(2, { others: 2 }), 0));
  const weak = new PeerStanding();
  // 0.2 each: the eighth makes 1.6
  const bans = [1, 2, 3, 4, 5, 6, 7, 8].map((reporter) => weak.report(accuse(reporter, { offence: "stalled" }), 0));
  t.deepEqual(bans, [false, false, false, false, false, false, false, true]);
});

test("PeerStanding: voices fade, and who accuses everybody is believed by nobody", (t) => {
  const fading = new PeerStanding();
  fading.report(accuse(1), 0);
  fading.report(accuse(2), 0);
  t.false(fading.report(accuse(3), 11 * MINUTE_MS));
  const liars = new PeerStanding();
  const results: boolean[] = [];
  for (let victim = 0; victim < 30; victim++)
    for (const liar of [1, 2, 3]) results.push(liars.report(accuse(liar, { target: `10.1.0.${victim} 1` }), victim));
  // 3 voices of weight 1 × 3 ÷ accused reach 1.5 for the first six victims, which is all that three liars together can do
  t.true(results.filter(Boolean).length <= 6, `${results.filter(Boolean).length}`);
});

const HASH = "ab".repeat(20) as InfoHash;

test("takeReport() hears hosts of the swarm only, about peers of the swarm, and none about linked seeders", (t) => {
  const standing = new PeerStanding();
  const swarms = new SwarmStore({ expireMs: () => 1e9 });
  swarms.join({ live: HASH, finals: [] });
  const member = (number: number) => {
    const peerId = Buffer.from(`-SK0100-${String(number).padStart(12, "0")}`).toString("hex") as PeerId;
    const ask = makeAsk({ infoHash: HASH, peerId, ip: `10.0.0.${number}`, port: 6881 });
    if (ask === undefined) throw new Error("no address");
    return ask;
  };
  for (const number of [1, 2, 3, 9]) swarms.announce(member(number), 0, () => 0);
  swarms.addLink(member(8), 0);
  const report = (reporter: number, target: number) => {
    const body = { reports: [{ infoHash: HASH, peer: { host: `10.0.0.${target}`, port: 6881 }, offence: "bad_block", reason: "r" }] };
    for (const each of parseReports(body)) takeReport(each, { address: `10.0.0.${reporter}` }, { swarms, standing, nowMs: 0 });
  };
  for (const stranger of [20, 21, 22, 23]) report(stranger, 9);
  t.deepEqual(standing.bans(0), []);
  for (const reporter of [1, 2, 3]) report(reporter, 8);
  t.deepEqual(standing.bans(0), []);
  for (const reporter of [1, 2, 3]) report(reporter, 9);
  t.is(standing.bans(0).length, 1);
  const answer = swarms.announce(member(1), 0, () => 0);
  const ports = [...(answer?.picked.subarray(0, answer.pickedCount) ?? [])].map((record) => answer?.table.peerId(record).at(-1));
  t.false(ports.includes("9".charCodeAt(0)), "who is banned is handed out no more");
});

for (const body of [
  null,
  {},
  { reports: [{}] },
  { reports: [{ infoHash: HASH, peer: { host: "x", port: 1 }, offence: "bad_block", reason: "" }] },
]) {
  test(`parseReports() refuses ${JSON.stringify(body)}`, (t) => {
    t.throws(() => parseReports(body), { code: "bad_request" });
  });
}

test("SeederHealth: two faults in a row take a seeder out, for longer each time, and it returns", (t) => {
  const health = new SeederHealth();
  health.failed("a", 0);
  t.deepEqual(health.usable(["a", "b"], 0), ["a", "b"]);
  health.failed("a", 0);
  t.deepEqual(health.usable(["a", "b"], 14_999), ["b"]);
  t.deepEqual(health.usable(["a", "b"], 15_000), ["a", "b"]);
  health.failed("a", 15_000);
  t.deepEqual(health.usable(["a", "b"], 44_999), ["b"]);
  t.deepEqual(health.usable(["a"], 20_000), ["a"], "where all sit out, all are asked");
  health.worked("a");
  t.deepEqual(health.usable(["a", "b"], 20_000), ["a", "b"]);
});

test("PeerStanding: good voices make up for part of the bad ones, fade, and take no ban away", (t) => {
  const standing = new PeerStanding();
  const accuse = (reporter: string, nowMs = 0) =>
    standing.report({ reporter, target: "10.0.0.9 1", offence: "protocol", reason: "r", others: 10 }, nowMs);
  const praise = (reporter: string, target = "10.0.0.9 1") => standing.praise({ reporter, target }, 0);
  praise("10.0.0.1", "10.0.0.8 1");
  t.is(
    standing.of(() => "10.0.0.8 1", 0),
    100,
  );
  t.is(
    standing.of(() => "10.0.0.7 1", 0),
    UNKNOWN_SHARE,
  );
  t.is(
    standing.of(() => "10.0.0.8 1", 10 * 60_000 + 1),
    UNKNOWN_SHARE,
    "a good word fades",
  );
  accuse("10.0.0.1");
  // 0.5 of the 1.5 that bans
  t.is(
    standing.of(() => "10.0.0.9 1", 0),
    67,
  );
  for (let count = 0; count < 5; count++) praise("10.0.0.2");
  t.is(
    standing.of(() => "10.0.0.9 1", 0),
    83,
    "one address is one voice: 1 - 1/3 / 2",
  );
  for (const reporter of ["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]) praise(reporter);
  t.is(
    standing.of(() => "10.0.0.9 1", 0),
    92,
    "three count: 1 - 1/3 / 4",
  );
  for (const reporter of ["10.0.0.2", "10.0.0.3"]) accuse(reporter);
  t.is(standing.bans(0).length, 1, "praise does not protect");
  t.is(
    standing.of(() => "10.0.0.9 1", 0),
    undefined,
  );
});

test("takePraise() counts for hosts of the swarm, about others in it", (t) => {
  const standing = new PeerStanding();
  const swarms = new SwarmStore({ expireMs: () => 60_000 });
  swarms.join({ live: HASH, finals: [] });
  for (const number of [1, 9]) {
    const peerId = Buffer.from(`-SK0100-00000000000${number}`).toString("hex") as PeerId;
    const ask = makeAsk({ infoHash: HASH, peerId, ip: `10.0.0.${number}`, port: 6881 });
    if (ask !== undefined) swarms.announce(ask, 0, () => 0);
  }
  const good = { good: [{ infoHash: HASH, host: "10.0.0.9", port: 6881 }] };
  const success = (reporter: string) => {
    for (const peer of parseGood(good)) takePraise(peer, { address: reporter }, { swarms, standing, nowMs: 0 });
    return standing.of(() => "10.0.0.9 6881", 0);
  };
  t.is(success("10.0.0.20"), UNKNOWN_SHARE, "a stranger");
  t.is(success("10.0.0.9"), UNKNOWN_SHARE, "himself");
  t.is(success("10.0.0.1"), 100);
  t.deepEqual(parseGood({}), []);
  for (const bad of [{ good: [{}] }, { good: "x" }, { good: [{ infoHash: HASH, host: "x", port: 1 }] }])
    t.throws(() => parseGood(bad), { code: "bad_request" });
});

/** A swarm of three hosts that are only known by the addresses that they advertise, and one that is reported. */
function advertisingSwarm() {
  const claims = new HostClaims(Buffer.alloc(32, 1));
  const standing = new PeerStanding();
  const swarms = new SwarmStore({ expireMs: () => 1e9 });
  swarms.join({ live: HASH, finals: [] });
  const idOf = (number: number) => Buffer.from(`-SK0100-${String(number).padStart(12, "0")}`).toString("hex") as PeerId;
  const hosts = ["2001:db8::1", "192.0.2.2", "192.0.2.3", "2001:db8::9"];
  for (const [at, ip] of hosts.entries()) {
    const ask = makeAsk({ infoHash: HASH, peerId: idOf(at + 1), ip, port: 6881 });
    if (ask !== undefined) swarms.announce(ask, 0, () => 0);
  }
  const report = (from: { address: string; id: number; claim?: string }) => {
    const reporter: Reporter = {
      address: from.address,
      advertised: advertisedBy({ reporter: { id: idOf(from.id), port: 1, claim: from.claim } }, claims),
    };
    const peer = { host: "2001:db8:0::9", port: 6881 };
    for (const each of parseReports({ reports: [{ infoHash: HASH, peer, offence: "bad_block", reason: "r" }] }))
      takeReport(each, reporter, { swarms, standing, nowMs: 0 });
    return standing.suspects(0)[0]?.voices ?? standing.bans(0)[0]?.voices ?? 0;
  };
  return { standing, hosts, report, claimOf: (number: number, host: string) => claims.pathFor(idOf(number), host) };
}

test("takeReport() hears hosts at the address that they advertise, and bans by several", (t) => {
  const { standing, hosts, report, claimOf } = advertisingSwarm();
  t.is(report({ address: "10.0.0.1", id: 1 }), 0, "it is not in the swarm at the address that it calls from");
  t.is(report({ address: "10.0.0.1", id: 1, claim: claimOf(1, hosts[0]) }), 1);
  t.is(report({ address: "10.0.0.2", id: 2, claim: claimOf(2, hosts[1]) }), 2);
  t.is(
    standing.of(() => "2001:db8:0:0:0:0:0:9 6881", 0),
    undefined,
    "banned: two of three others",
  );
});

test("takeReport() lets nobody speak as somebody else, nor as many, with claims", (t) => {
  const { standing, hosts, report, claimOf } = advertisingSwarm();
  const forged = claimOf(1, hosts[0]).replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
  t.is(report({ address: "10.0.0.7", id: 1, claim: forged }), 0);
  t.is(report({ address: "10.0.0.7", id: 7, claim: claimOf(1, hosts[0]) }), 0, "another one's claim");
  t.is(report({ address: "10.0.0.7", id: 7, claim: claimOf(7, "192.0.2.77") }), 0, "nobody is there");
  // who may register gets a claim of whatever he likes: he is one voice all the same
  for (const [at, host] of hosts.slice(0, 3).entries()) t.is(report({ address: "10.0.0.7", id: at + 1, claim: claimOf(at + 1, host) }), 1);
  t.deepEqual(standing.bans(0), []);
  t.is(report({ address: "10.0.0.8", id: 4, claim: claimOf(4, hosts[3]) }), 1, "not of itself");
});

for (const reporter of [1, { claim: "at-" }, { id: "x", claim: "at-" }, { id: "11".repeat(20), claim: "x".repeat(300) }])
  test(`advertisedBy() refuses ${JSON.stringify(reporter).slice(0, 60)}`, (t) => {
    t.throws(() => advertisedBy({ reporter }, new HostClaims(Buffer.alloc(32, 1))), { code: "bad_request" });
  });
