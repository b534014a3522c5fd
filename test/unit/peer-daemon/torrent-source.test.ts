/** Torrents that somebody else made, index pages, the policy of eviction: deciders of the daemon. */

import { createHash } from "node:crypto";
import test from "ava";
import createTorrent from "create-torrent";
import { chooseEvictions } from "../../../peer/daemon/cache-policy.ts";
import { pageLinks } from "../../../peer/daemon/page-links.ts";
import { describeInfos, hashesOf, readInfo, readMagnet, readTorrentFile } from "../../../peer/daemon/torrent-source.ts";
import { encode } from "../../../torrents/bencode.ts";

const HASH = "0123456789abcdef0123456789abcdef01234567";

function torrentOf(bytes: Buffer): Promise<Buffer> {
  const options = { name: "file.bin", pieceLength: 16_384, announceList: [["http://t/announce"], ["udp://u:1"]] };
  return new Promise((resolve, reject) => {
    createTorrent(bytes, options, (error, made) => (error === null ? resolve(Buffer.from(made)) : reject(error)));
  });
}

test("readTorrentFile() reads what create-torrent wrote", async (t) => {
  const file = await torrentOf(Buffer.alloc(40_000, 7));
  const source = readTorrentFile(file);
  t.is(source.name, "file.bin");
  t.deepEqual(source.trackers, [["http://t/announce"], ["udp://u:1"]]);
  t.is(source.hashes.length, 1);
  const described = describeInfos(source.infos ?? {});
  t.like(described.geometry, { lengthBytes: 40_000, pieceLengthBytes: 16_384, pieceCount: 3 });
});

test("readTorrentFile() refuses damage, and takes a v2 file without its piece layer, which peers have", (t) => {
  const refused = (bytes: Buffer, message: RegExp) => t.throws(() => readTorrentFile(bytes), { code: "bad_request", message });
  refused(Buffer.from("hello"), /no \.torrent/);
  refused(encode({ announce: "x" }), /no info/);
  refused(encode({ info: { name: "x" } }), /neither version/);
  refused(encode({ info: [] }), /no info/);
  // 16 KiB and a byte: two pieces, whose hashes are in the layer
  const layer = Buffer.concat([Buffer.alloc(32, 7), Buffer.alloc(32, 8)]);
  const root = createHash("sha256").update(layer).digest();
  const info = {
    "file tree": new Map([["x", { "": { length: 16_385, "pieces root": root } }]]),
    "meta version": 2,
    name: "x",
    "piece length": 16_384,
  };
  const layerOf = (given?: Buffer): Buffer | undefined => {
    const layers = given && new Map([[root.toString("latin1"), given]]);
    return readTorrentFile(encode({ info, "piece layers": layers })).infos?.pieceLayer;
  };
  t.is(layerOf(), undefined);
  t.is(layerOf(layer.subarray(32)), undefined, "too short");
  t.is(layerOf(Buffer.alloc(64, 7)), undefined, "of another file");
  t.deepEqual(layerOf(layer), layer);
});

test("readTorrentFile() hashes the info as it was written, and reads tiers, web seeds and nodes", (t) => {
  // keys out of order: not what BEP 3 wants, yet what the info hash is over
  const info = "d6:pieces20:aaaaaaaaaaaaaaaaaaaa4:name1:x6:lengthi5e12:piece lengthi16384ee";
  const around = "d13:announce-listll8:http://a8:http://be6:ignorel9:udp://c:1ee4:info".replace("6:ignore", "");
  const source = readTorrentFile(Buffer.from(`${around}${info}5:nodesll1:hi80eel1:hi0eee8:url-list10:http://w/xe`));
  t.deepEqual(source.hashes as readonly string[], [createHash("sha1").update(info).digest("hex")]);
  t.deepEqual(source.trackers, [["http://a", "http://b"], ["udp://c:1"]]);
  t.deepEqual(source.webSeeds, ["http://w/x"]);
  t.deepEqual(source.dhtNodes, ["h:80"]);
});

test("readInfo() tells v1, v2 and hybrid apart; hashesOf() names v2 first", (t) => {
  const v1 = { length: 5, name: "x", "piece length": 16_384, pieces: Buffer.alloc(20, 1) };
  const tree = new Map([["x", { "": { length: 5, "pieces root": Buffer.alloc(32, 1) } }]]);
  const v2 = { "file tree": tree, "meta version": 2, name: "x", "piece length": 16_384 };
  t.deepEqual(Object.keys(readInfo(encode(v1))), ["infoV1"]);
  t.deepEqual(Object.keys(readInfo(encode(v2))), ["infoV2"]);
  const hybrid = readInfo(encode({ ...v1, ...v2 }));
  t.deepEqual(Object.keys(hybrid), ["infoV1", "infoV2"]);
  t.is(hashesOf(hybrid).length, 2);
  t.is(hashesOf(hybrid)[0], hashesOf({ infoV2: hybrid.infoV2 })[0]);
});

test("readMagnet() takes hex, base32, v2, trackers and peers, and leaves out what makes no sense", (t) => {
  const magnet = readMagnet(
    `magnet:?xt=urn:btih:${HASH.toUpperCase()}&dn=a%2Fb&tr=http%3A%2F%2Ft%2Fa&tr=gopher://x&x.pe=10.0.0.1:5&x.pe=[::1]:6&x.pe=x:0&x.pe=bad`,
  );
  t.deepEqual(magnet, {
    hashes: [HASH] as never,
    name: "a_b",
    trackers: [["http://t/a"]],
    peers: [
      { host: "10.0.0.1", port: 5 },
      { host: "::1", port: 6 },
    ],
    webSeeds: [],
    selected: [],
  });
  // base32 of the same 20 bytes
  t.deepEqual(readMagnet("magnet:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH").hashes as readonly string[], [HASH]);
  t.deepEqual(readMagnet(`magnet:?xt=urn:btmh:1220${HASH}${"0".repeat(24)}`).hashes as readonly string[], [HASH]);
  for (const text of ["http://h/f", "magnet:?dn=x", "magnet:?xt=urn:btih:123", "magnet:?xt=urn:sha1:abc"])
    t.throws(() => readMagnet(text), { code: "bad_request" }, text);
});

test("pageLinks() takes what is right below the page, once, and nothing else", (t) => {
  const html = `<a href="../">up</a> <A HREF='a%20b.txt'>x</A> <a class=x href=sub/>y</a> <a href="a%20b.txt#top">again</a>
    <a href="/other/">o</a> <a href="http://h2/pub/z">z</a> <a href="?C=N">sort</a> <a href="sub/deep/file">d</a> <a href="x&amp;y">e</a>
    <a href="javascript:alert(1)">j</a> <a href="%2e%2e/secret">s</a> <a href="">self</a> <a href="..%2f..%2fetc">esc</a>`;
  const entries = pageLinks(html, { url: "http://h/pub/", most: 10 });
  t.deepEqual(
    entries.map(({ name, url, isDirectory }) => [name, url, isDirectory]),
    [
      ["a b.txt", "http://h/pub/a%20b.txt", false],
      ["sub", "http://h/pub/sub/", true],
      ["x&y", "http://h/pub/x&y", false],
      [".._.._etc", "http://h/pub/..%2f..%2fetc", false],
    ],
  );
  t.is(pageLinks(html, { url: "http://h/pub/", most: 2 }).length, 2);
});

test("pageLinks() is quick on hostile pages", (t) => {
  const before = process.cpuUsage();
  for (const part of ["<a ", "<a href=", "<a href='", "<a\thref \n", " href", "<a href=x>"])
    pageLinks(part.repeat(200_000), { url: "http://h/", most: 10 });
  // its own time: others use the machine too
  const ms = process.cpuUsage(before).user / 1000;
  t.true(ms < 2_000, `${ms} ms`);
});

test("chooseEvictions() takes the least recently used until the quota holds, and what is too old", (t) => {
  const task = (id: string, diskBytes: number, lastUsedAtMs: number, held = false) => ({ id, diskBytes, lastUsedAtMs, held });
  const tasks = [task("new", 5, 30), task("old", 5, 10), task("middle", 5, 20), task("held", 5, 0, true)];
  t.deepEqual(chooseEvictions(tasks, { quotaBytes: 0, expireMs: 0 }, 100), []);
  t.deepEqual(chooseEvictions(tasks, { quotaBytes: 20, expireMs: 0 }, 100), []);
  t.deepEqual(chooseEvictions(tasks, { quotaBytes: 12, expireMs: 0 }, 100), ["old", "middle"]);
  t.deepEqual(chooseEvictions(tasks, { quotaBytes: 1, expireMs: 0 }, 100), ["old", "middle", "new"]);
  t.deepEqual(chooseEvictions(tasks, { quotaBytes: 0, expireMs: 75 }, 100), ["old", "middle"]);
  // a file that is an output too frees nothing
  t.deepEqual(chooseEvictions([task("linked", 0, 1), task("own", 9, 2)], { quotaBytes: 5, expireMs: 0 }, 100), ["own"]);
});
