/** What becomes of a torrent that is stored already, and where it may be found. */
import { createHash } from "node:crypto";
import test from "ava";
import { mergePlaces } from "../../../peer/daemon/merge-places.ts";
import { entryOf, planTorrent } from "../../../peer/daemon/plan-torrent.ts";
import { hashesOf, readInfo, type TorrentSource } from "../../../peer/daemon/torrent-source.ts";
import { SkimmerError } from "../../../system/errors.ts";
import { encode } from "../../../torrents/bencode.ts";

const pieces = createHash("sha1").update("x").digest();
const infos = readInfo(encode({ length: 1, name: "one", "piece length": 16_384, pieces }));
const source: TorrentSource = { hashes: hashesOf(infos), name: "one", trackers: [["http://new/announce"]], peers: [], infos };
const request = { url: "magnet:?" } as Parameters<typeof planTorrent>[0];
const stored = {
  ...entryOf(infos, { request: { url: "magnet:?" }, lastUsedAtMs: 0 }),
  trackers: ["http://old/announce"],
  webSeeds: ["http://seed/"],
};

function plan(given: TorrentSource, entry: typeof stored & { inPlace?: string }, hasInfos: boolean) {
  const gone = Object.assign(new Error("gone"), { code: "ENOENT" });
  return planTorrent(request, given, {
    index: { findByHashes: () => entry, readInfos: () => (hasInfos ? Promise.resolve(infos) : Promise.reject(gone)) },
    fetchInfos: () => Promise.reject(new SkimmerError("no_progress", "nobody has the metadata")),
    epochMs: () => 5,
    signal: AbortSignal.timeout(5_000),
  });
}

test("a stored torrent brings its dicts along, and takes the new trackers; a share in place keeps its own", async (t) => {
  const added = await plan({ ...source, infos: undefined }, stored, true);
  t.is(added.kind, "torrent");
  if (added.kind !== "torrent") return;
  t.is(added.task.infos, infos);
  t.deepEqual(added.task.entry.trackers, ["http://old/announce", ["http://new/announce"]]);
  t.deepEqual(added.task.entry.webSeeds, ["http://seed/"]);
  const shared = await plan(source, { ...stored, inPlace: "/movie" }, true);
  t.deepEqual(shared.kind === "torrent" && shared.task.entry.trackers, stored.trackers);
});

test("a stored torrent whose dicts are lost takes those given; without any they are asked for anew", async (t) => {
  const given = await plan(source, stored, false);
  t.is(given.kind === "torrent" ? given.task.infos : undefined, infos);
  await t.throwsAsync(plan({ ...source, infos: undefined }, stored, false), { code: "no_progress" });
});

test("places are merged once each, at most 100; a private torrent's trackers are replaced", (t) => {
  const known = { trackers: ["a", ["b", "c"]], webSeeds: ["x"], dhtNodes: undefined };
  t.deepEqual(mergePlaces(known, { trackers: [["c", "d"], ["a"]], webSeeds: ["x", "y"], dhtNodes: ["n:1"] }), {
    trackers: ["a", ["b", "c"], ["d"]],
    webSeeds: ["x", "y"],
    dhtNodes: ["n:1"],
  });
  const many = Array.from({ length: 150 }, (_, index) => `t${index}`);
  t.is(mergePlaces(known, { trackers: many }).trackers.length, 100);
  t.deepEqual(mergePlaces({ ...known, private: true }, { trackers: ["z"] }).trackers, ["z"]);
  t.deepEqual(mergePlaces({ ...known, private: true }, { trackers: [] }).trackers, known.trackers);
});
