/** Reports on peers to a supernode that takes them, to one that knows none, and to none. Real HTTP on loopback. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import test from "ava";
import { claimAt, PeerReporter } from "../../../peer/daemon/peer-reporter.ts";
import type { BannedPeer } from "../../../peer/engine/peer-conduct.ts";
import type { Torrent } from "../../../peer/engine/types.ts";
import { silentLogger } from "../../../system/logger.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { MOST_REPORTS, type PeerReports } from "../../../torrents/task-api.ts";

const INFO_HASH = "ab".repeat(20) as InfoHash;
const REPORTER = { id: "11".repeat(20) as PeerId, port: 65002 };
const BANNED: BannedPeer = {
  id: "22".repeat(20) as PeerId,
  host: "10.0.0.2",
  port: 6000,
  offence: "bad_block",
  reason: "sent piece 3 with a wrong hash",
  untilMs: 61_000,
  offences: { bad_block: 1 },
};

async function supernode(status: number) {
  const bodies: PeerReports[] = [];
  const server: Server = createServer(async (request, response) => {
    let text = "";
    for await (const part of request.setEncoding("utf8")) text += part;
    bodies.push(JSON.parse(text));
    response.writeHead(status).end();
    server.emit("told");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    bodies,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    told: () => once(server, "told", { signal: AbortSignal.timeout(10_000) }),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const torrents = new Map<InfoHash, Torrent>();
const common = {
  peer: REPORTER,
  torrents,
  isSupernodes: () => true,
  trackersOf: () => [],
  clock: { nowMs: () => 1000 },
  logger: silentLogger,
};

test("PeerReporter tells a burst in one request, with the evidence, to the first supernode that takes it", async (t) => {
  await using old = await supernode(404);
  await using good = await supernode(204);
  using reporter = new PeerReporter({ ...common, supernodes: ["http://127.0.0.1:1", old.url, `${good.url}=2`] });
  const told = good.told();
  for (let count = 0; count < MOST_REPORTS + 10; count++) reporter.note(INFO_HASH, BANNED);
  await told;
  t.is(good.bodies.length, 1);
  t.deepEqual(good.bodies[0].reporter, REPORTER);
  t.is(good.bodies[0].reports.length, MOST_REPORTS, "bounded");
  t.deepEqual(good.bodies[0].reports[0], {
    infoHash: INFO_HASH,
    peer: { id: BANNED.id, host: "10.0.0.2", port: 6000 },
    offence: "bad_block",
    reason: BANNED.reason,
    offences: { bad_block: 1 },
    banSeconds: 60,
  });
  const again = good.told();
  reporter.note(INFO_HASH, BANNED);
  await again;
  t.is(old.bodies.length, 1, "one that knows no reports is not asked again soon");
});

test("PeerReporter says nothing after its end", async (t) => {
  await using good = await supernode(204);
  const reporter = new PeerReporter({ ...common, supernodes: [good.url] });
  reporter.note(INFO_HASH, BANNED);
  reporter[Symbol.dispose]();
  reporter.note(INFO_HASH, BANNED);
  await once(AbortSignal.timeout(1_200), "abort");
  t.deepEqual(good.bodies, []);
});

test("PeerReporter tells of peers that bring pieces just now, of supernodes' torrents only, and no seeders", async (t) => {
  await using good = await supernode(204);
  const peer = { host: "10.0.0.3", port: 6000, seeder: false, piecesHave: 1, downloadBytesPerSecond: 1000, uploadedBytes: 0 };
  const others = [
    { ...peer, downloadBytesPerSecond: 0 },
    { ...peer, seeder: true },
    { ...peer, port: 0 },
  ];
  const torrent = (infoHash: InfoHash, peers: object[]) => [infoHash, { infoHash, peers } as unknown as Torrent] as const;
  const foreign = "cd".repeat(20) as InfoHash;
  const open = new Map([torrent(INFO_HASH, [...others, peer]), torrent(foreign, [peer])]);
  const isSupernodes = (infoHash: InfoHash) => infoHash === INFO_HASH;
  using reporter = new PeerReporter({ ...common, supernodes: [good.url], torrents: open, isSupernodes });
  const told = good.told();
  reporter.praise();
  await told;
  t.deepEqual(good.bodies[0].good, [{ infoHash: INFO_HASH, host: "10.0.0.3", port: 6000 }]);
  t.deepEqual(good.bodies[0].reports, []);
});

test("PeerReporter brings along the claim of the address that it advertises, as this supernode's announce URLs hold it", async (t) => {
  const claim = `at-${"0a".repeat(24)}`;
  await using good = await supernode(204);
  const trackersOf = () => [`http://other:1/announce/at-${"0b".repeat(24)}`, [`${good.url}/announce/${"c".repeat(32)}/${claim}`]];
  using reporter = new PeerReporter({ ...common, supernodes: [good.url], trackersOf });
  const told = good.told();
  reporter.note(INFO_HASH, BANNED);
  await told;
  t.deepEqual(good.bodies[0].reporter, { ...REPORTER, claim });
  t.is(claimAt("http://third:1", trackersOf().flat()), `at-${"0b".repeat(24)}`, "supernodes may share their secret");
  t.is(claimAt(good.url, [`${good.url}/announce/${"c".repeat(32)}`, "no URL"]), undefined);
});
