/**
 * What the supernode keeps over kill -9: tasks at once, swarms from the last snapshot; and private swarms, which want a passkey.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { decodeDict, dictBytes, dictInt, dictString } from "../../torrents/bencode.ts";
import { callApi } from "../support/api.ts";
import { Cluster } from "../support/cluster.ts";
import { until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;

/** One announce as a client that is not ours sends it. */
async function announce(tracker: string, infoHash: string, number: number) {
  const query = [
    `info_hash=${infoHash.replace(/../g, "%$&")}`,
    `peer_id=-UT3600-${String(number).padStart(12, "0")}`,
    `port=${7000 + number}&left=1&compact=1&numwant=50`,
  ];
  const response = await fetch(`${tracker}?${query.join("&")}`);
  const dict = decodeDict(Buffer.from(await response.arrayBuffer()));
  return {
    failure: dictString(dict, "failure reason"),
    intervalS: dictInt(dict, "interval"),
    incomplete: dictInt(dict, "incomplete"),
    peers: (dictBytes(dict, "peers")?.length ?? 0) / 6,
  };
}

/** The table of sites where nobody said where he is. */
const SITES = JSON.stringify([{ idc: "", location: [] }]);

test("kill -9 right after a registration: the task is known again, nobody is told unknown torrent", async (t) => {
  await using origin = await ScriptedOrigin.start();
  const { url } = origin.add("/f.bin", seededBytes(1, 2 * MIB));
  await using cluster = await Cluster.start();
  const { body } = await callApi(`${cluster.url}/api/v1/tasks`, { body: { url } });
  await cluster.supernode.stop("SIGKILL");
  await cluster.restartSupernode(["--no-seeder"]);
  t.is((await callApi(`${cluster.url}/api/v1/tasks/${body.id}`)).body.infoHash, body.infoHash);
  const answer = await announce(`${cluster.url}/announce`, body.infoHash, 1);
  // a hash that is only let pass because the start is recent gets the short interval of 5 s
  t.like(answer, { failure: undefined, intervalS: 60 });
});

test("kill -9 with a swarm: after the restart the first who asks gets peers at once", async (t) => {
  await using cluster = await Cluster.start({ supernodeArgs: ["--no-seeder", "--open-tracker"] });
  const hash = "ab".repeat(20);
  for (let number = 1; number <= 20; number++) await announce(`${cluster.url}/announce`, hash, number);
  const snapshot = join(cluster.home("supernode"), "swarms");
  // magic, the sites with their length, a count, a hash, a count, and 47 bytes a peer
  await until(() => statSync(snapshot, { throwIfNoEntry: false })?.size === 17 + 4 + SITES.length + 1 + 20 + 4 + 20 * 47, 20_000);
  await cluster.supernode.stop("SIGKILL");
  await cluster.restartSupernode();
  t.like(await announce(`${cluster.url}/announce`, hash, 21), { failure: undefined, incomplete: 21, peers: 20 });
});

test("a private task's swarm exists only for who brings the passkey that the registration told", async (t) => {
  await using origin = await ScriptedOrigin.start();
  const { url } = origin.add("/secret.bin", seededBytes(2, MIB), { authorization: "Bearer x" });
  await using cluster = await Cluster.start();
  const { body } = await callApi(`${cluster.url}/api/v1/tasks`, { body: { url, headers: { authorization: "Bearer x" } } });
  const [tracker] = body.trackers as string[];
  t.regex(tracker, /\/announce\/[0-9a-f]{32}$/);
  t.is((await announce(tracker, body.infoHash, 1)).failure, undefined);
  const stranger = await announce(`${cluster.url}/announce`, body.infoHash, 2);
  t.regex(stranger.failure ?? "", /unknown torrent/);
  const scrape = await (await fetch(`${cluster.url}/scrape?info_hash=${body.infoHash.replace(/../g, "%$&")}`)).text();
  t.true(scrape.startsWith("d5:filesde5:flags"), scrape);
  await cluster.restartSupernode();
  t.is((await announce(tracker, body.infoHash, 1)).failure, undefined, "the passkey outlives a restart");
});
