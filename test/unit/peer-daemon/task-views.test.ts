/** What the API shows of tasks and torrents, and to whom. */
import { createHash } from "node:crypto";
import test from "ava";
import { listTorrent } from "../../../peer/daemon/list-torrent.ts";
import { entryOf } from "../../../peer/daemon/plan-torrent.ts";
import type { TaskEntry } from "../../../peer/daemon/task-entry.ts";
import { taskDetail, taskRow } from "../../../peer/daemon/task-rows.ts";
import { hashesOf, readInfo, type TorrentSource } from "../../../peer/daemon/torrent-source.ts";
import { torrentLines } from "../../../peer/dfget/torrent-text.ts";
import type { Openness } from "../../../peer/discovery/reach.ts";
import { encode } from "../../../torrents/bencode.ts";

const pieces = createHash("sha1").update("x").digest();
const infos = readInfo(encode({ length: 1, name: "one", "piece length": 16_384, pieces }));
const source: TorrentSource = {
  hashes: hashesOf(infos),
  name: "one",
  trackers: [["http://a/KEY/announce", "udp://b:1"], ["wss://c/?key=K"]],
  peers: [{ host: "::1", port: 5 }],
  webSeeds: ["http://user:pw@seed/one?token=T&v=1"],
  dhtNodes: ["node:6881"],
  infos,
};
const waysOf = (openness: Openness) => ({ lsd: openness === "added", dht: false });
const OWNER = { isOwner: true };
const MEMBER = { isOwner: false };
const entry = (change: Partial<TaskEntry> = {}): TaskEntry => ({
  ...entryOf(infos, { request: { url: "http://u:p@host/one?token=SECRET&v=1&ALONE" }, source, lastUsedAtMs: 0 }),
  ...change,
});

test("a group's members see URLs without what their queries say, but for those that they know", (t) => {
  const url = entry().url;
  t.is(taskRow(entry(), undefined, OWNER).url, url);
  t.is(taskRow(entry(), undefined, MEMBER).url, "http://host/one?token=…&v=…&…");
  t.is(taskRow(entry(), undefined, { isOwner: false, url }).url, url);
  t.is(taskRow(entry(), undefined, { isOwner: false, url: "http://host/one?token=GUESS&v=1&ALONE" }).url, "http://host/one?token=…&v=…&…");
  const magnet = `magnet:?xt=urn:btih:${"ab".repeat(20)}&dn=name`;
  t.is(taskRow(entry({ url: magnet }), undefined, MEMBER).url, `magnet:?xt=urn:btih:${"ab".repeat(20)}&dn=…`);
});

test("taskDetail() tells trackers by tier, web seeds and ways to peers, without keys", (t) => {
  const options = { directory: "/d", nowMs: 0, trackers: [], waysOf };
  t.like(taskDetail(entry(), undefined, { ...options, viewer: OWNER }), {
    trackerTiers: [["http://a/…/announce", "udp://b:1"], ["wss://c?…"]],
    webSeeds: ["http://seed/one?v=1"],
    dhtNodes: ["node:6881"],
    private: false,
    lsd: true,
    dht: false,
  });
  t.deepEqual(taskDetail(entry(), undefined, { ...options, viewer: MEMBER }).webSeeds, ["http://seed/one?token=…&v=…"]);
  t.like(taskDetail(entry({ private: true }), undefined, { ...options, viewer: OWNER }), { private: true, lsd: false });
});

function list(given: TorrentSource, stored?: TaskEntry) {
  return listTorrent(given, {
    index: { findByHashes: () => stored, readInfos: async () => infos },
    planner: { fetchInfos: () => Promise.reject(new Error("nobody has it")) },
    waysOf,
    viewer: OWNER,
    signal: AbortSignal.timeout(5_000),
  });
}

test("listTorrent() tells what dfget add would use: what is given, after what is stored", async (t) => {
  t.like(await list(source), {
    name: "one",
    infoHashes: [...source.hashes],
    trackerTiers: [["http://a/…/announce", "udp://b:1"], ["wss://c?…"]],
    peers: ["[::1]:5"],
    files: [{ path: "one", lengthBytes: 1 }],
  });
  const link = { ...source, infos: undefined, trackers: [["http://new/announce"]], webSeeds: [] };
  const stored = await list(link, entry({ trackers: ["http://old/announce"], webSeeds: ["http://old/"] }));
  t.deepEqual(stored.trackerTiers, [["http://old/announce"], ["http://new/announce"]]);
  t.deepEqual(stored.webSeeds, ["http://old/"]);
  // files of this host are shared as they were, whatever a link says
  t.deepEqual((await list(link, entry({ trackers: ["http://own/announce"], inPlace: "/one" }))).trackerTiers, [["http://own/announce"]]);
  await t.throwsAsync(list(link), { message: "nobody has it" });
});

test("torrentLines() says it to people, without control characters", async (t) => {
  const text = torrentLines(await list({ ...source, dhtNodes: ["no\u001bde:1"] })).join("\n");
  for (const part of ["tracker, tier 1: http://a/…/announce", "tracker, tier 2: wss://c?…", "web seed: http://seed/one?v=1", "private: no"])
    t.true(text.includes(part), part);
  for (const part of ["DHT: not used (--dht)", "local network: used", "peer: [::1]:5", "in 1 file"]) t.true(text.includes(part), part);
  t.false(text.includes("\u001b"));
});
