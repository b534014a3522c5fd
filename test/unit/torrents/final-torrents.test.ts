/**
 * Final torrents: the same info hashes as libtorrent and create-torrent make, readable by parse-torrent.
 * The expected hashes are libtorrent 2.0.8's (create_torrent with v1_only and v2_only) for the content of content.ts.
 */
import { promisify } from "node:util";
import test from "ava";
import bencode from "bencode";
import createTorrent from "create-torrent";
import parseTorrent from "parse-torrent";
import { decodeDict, dictBytes, dictDict, dictString, encode } from "../../../torrents/bencode.ts";
import { generateClusterKey, publicKeyBytes, publicKeyFrom } from "../../../torrents/cluster-key.ts";
import {
  infoHashV1,
  infoHashV2,
  makeInfoV1,
  makeInfoV2,
  parseInfoV1,
  parseInfoV2,
  signFinal,
  verifyFinal,
} from "../../../torrents/final-torrents.ts";
import type { InfoHash } from "../../../torrents/ids.ts";
import { piecesRoot } from "../../../torrents/merkle.ts";
import { magnetLink, torrentFile } from "../../../torrents/torrent-file.ts";
import { countedContent, hashesOf } from "./content.ts";
import { refuses } from "./refuses.ts";

const PIECE_BYTES = 256 * 1024;
const NAME = "näme.bin";
const TRACKERS = ["http://127.0.0.1:8002/announce", "udp://127.0.0.1:8002"];

function finalOf(name: string, lengthBytes: number, pieceLengthBytes = PIECE_BYTES) {
  const content = countedContent(lengthBytes);
  const { geometry, sha1s, layer } = hashesOf(content, pieceLengthBytes);
  const root = lengthBytes === 0 ? undefined : piecesRoot(layer, geometry);
  const infoV1 = makeInfoV1({ name, geometry, sha1s });
  const infoV2 = makeInfoV2({ name, geometry, piecesRoot: root });
  return { content, geometry, sha1s, layer, root, infoV1, infoV2 };
}

const LIBTORRENT: readonly (readonly [name: string, lengthBytes: number, pieceLengthBytes: number, v1: string, v2: string])[] = [
  // 3 pieces, the last one short; its layer is padded to 4
  [
    NAME,
    600_001,
    PIECE_BYTES,
    "fc352a4f264375532833092562f663c3c6a629ef",
    "3873a47615ccedabdbd80bbc31554340e0b2d75b9fe38181b7ea0432744106f5",
  ],
  // exact multiple
  [
    NAME,
    4 * PIECE_BYTES,
    PIECE_BYTES,
    "a1ec0dbc8bce148fd23b5202b0dee1531c08df4c",
    "a0eb960163b1f56b108bcd11fe331453917520f0267acf340debed77408c768d",
  ],
  // one piece of 3 blocks, padded to 4 leaves
  [
    NAME,
    40_000,
    PIECE_BYTES,
    "d30ebc8fd2e98690a29329d3ca92677e72c4a09e",
    "f1fc606da546266368d0362f6c698720d82ebeedc4ced24cfcf2d8b423af487c",
  ],
  ["one.bin", 1, 16_384, "cf8187ff71dfb5551c8445de7213c567841e5856", "ca0b954d97d0e1b86a4a5b65ccd1ed565274979011c8993bf019d5bf114f78a0"],
];
for (const [name, lengthBytes, pieceLengthBytes, v1, v2] of LIBTORRENT) {
  test(`info hashes of ${lengthBytes} bytes are those that libtorrent computes`, (t) => {
    const { infoV1, infoV2 } = finalOf(name, lengthBytes, pieceLengthBytes);
    t.is<string, string>(infoHashV1(infoV1), v1);
    t.is<string, string>(infoHashV2(infoV2), v2.slice(0, 40));
    t.is(magnetLink({ name: "x", infoV2, trackers: [] }), `magnet:?xt=urn:btmh:1220${v2}&dn=x`);
  });
}

test("makeInfoV1() is the info dict that create-torrent makes", async (t) => {
  const { content, infoV1 } = finalOf(NAME, 600_001);
  const made = await promisify(createTorrent)(content, { name: NAME, pieceLength: PIECE_BYTES });
  t.true(infoV1.equals(bencode.encode((bencode.decode(made) as { info: object }).info)));
});

test("parse-torrent reads the v1 .torrent and the magnet link", async (t) => {
  const { geometry, infoV1 } = finalOf(NAME, 600_001);
  const parsed = await parseTorrent(torrentFile({ info: infoV1, trackers: TRACKERS }));
  t.is(parsed.infoHash, infoHashV1(infoV1));
  t.is(parsed.name, NAME);
  t.is(parsed.length, geometry.lengthBytes);
  t.is(parsed.pieces.length, geometry.pieceCount);
  t.deepEqual(parsed.announce, TRACKERS);
  const link = await parseTorrent(magnetLink({ name: NAME, infoV1, trackers: TRACKERS }));
  t.is(link.infoHash, infoHashV1(infoV1));
  t.is(link.name, NAME);
  t.deepEqual(link.announce, TRACKERS);
});

test("torrentFile() embeds the info bytes as they are; v2 carries its piece layer", (t) => {
  const { infoV2, layer, root } = finalOf(NAME, 600_001);
  const bytes = torrentFile({ info: infoV2, trackers: TRACKERS, layers: [{ piecesRoot: root as Buffer, hashes: layer }] });
  t.true(bytes.includes(infoV2));
  const dict = decodeDict(bytes);
  t.true(encode(dict).equals(bytes), "keys are sorted");
  t.deepEqual(dictBytes(dictDict(dict, "piece layers") as never, (root as Buffer).toString("latin1")), layer);
  t.is(dictString(dict, "announce"), TRACKERS[0]);
  const alone = decodeDict(torrentFile({ info: infoV2, trackers: [] }));
  t.deepEqual([...alone.keys()], ["created by", "info"]);
});

test("parseInfoV1() and parseInfoV2() give back what was put in", (t) => {
  for (const lengthBytes of [0, 1, PIECE_BYTES, 600_001]) {
    const { geometry, sha1s, root, infoV1, infoV2 } = finalOf(NAME, lengthBytes);
    t.deepEqual(parseInfoV1(infoV1), { name: NAME, geometry, sha1s });
    t.deepEqual(parseInfoV2(infoV2), { name: NAME, geometry, piecesRoot: root });
  }
});

test("an empty file has no pieces root", (t) => {
  t.is(finalOf("e", 0).infoV2.toString(), "d9:file treed1:ed0:d6:lengthi0eeee12:meta versioni2e4:name1:e12:piece lengthi262144ee");
});

test("parseInfoV1() refuses several files and a wrong number of hashes", (t) => {
  const good = { length: 600_001, name: "a", "piece length": PIECE_BYTES, pieces: Buffer.alloc(60) };
  t.notThrows(() => parseInfoV1(encode(good)));
  refuses(t, () => parseInfoV1(encode({ ...good, length: undefined, files: [] })));
  refuses(t, () => parseInfoV1(encode({ ...good, pieces: Buffer.alloc(59) })));
  refuses(t, () => parseInfoV1(encode({ ...good, pieces: Buffer.alloc(80) })));
  refuses(t, () => parseInfoV1(encode({ ...good, pieces: 5 })));
  refuses(t, () => parseInfoV1(encode({ ...good, length: 2 ** 50 })));
  refuses(t, () => parseInfoV1(encode([])));
  t.is(parseInfoV1(encode({ ...good, name: "../x" })).name, ".._x");
});

test("parseInfoV2() refuses folders, several files, another version and a missing root", (t) => {
  const file = { "": { length: 5, "pieces root": Buffer.alloc(32) } };
  const good = { "file tree": { a: file }, "meta version": 2, name: "a", "piece length": PIECE_BYTES };
  t.notThrows(() => parseInfoV2(encode(good)));
  for (const tree of [{}, { a: { b: file } }, { a: file, b: file }, { b: file }, { a: { "": { length: 5 } } }, { a: 5 }, 5]) {
    refuses(t, () => parseInfoV2(encode({ ...good, "file tree": tree })));
  }
  refuses(t, () => parseInfoV2(encode({ ...good, "meta version": 3 })));
  refuses(t, () => parseInfoV2(encode({ ...good, "piece length": 1000 })));
});

test("verifyFinal() takes the pair that was signed, and no other", (t) => {
  const privateKey = generateClusterKey();
  const publicKey = publicKeyFrom(publicKeyBytes(privateKey));
  const { infoV1, infoV2 } = finalOf(NAME, 40_000);
  const other = finalOf("other", 40_000);
  const infoHash = "ab".repeat(20) as InfoHash;
  const good = { infoHash, infoV1, infoV2, publicKey, signature: signFinal({ infoHash, infoV1, infoV2, privateKey }) };
  t.true(verifyFinal(good));
  t.false(verifyFinal({ ...good, infoV1: other.infoV1 }));
  t.false(verifyFinal({ ...good, infoV2: other.infoV2 }));
  t.false(verifyFinal({ ...good, infoV1: infoV2, infoV2: infoV1 }));
  t.false(verifyFinal({ ...good, infoHash: "ac".repeat(20) as InfoHash }));
  t.false(verifyFinal({ ...good, signature: Buffer.alloc(64) }));
  t.false(verifyFinal({ ...good, signature: Buffer.alloc(3) }));
});

test("a secret gives other info hashes to the same content, and peers read such torrents as any other", (t) => {
  const { geometry, sha1s, layer, root, infoV1, infoV2 } = finalOf(NAME, 600_001);
  const make = (secret: Buffer) => ({
    v1: makeInfoV1({ name: NAME, geometry, sha1s, secret }),
    v2: makeInfoV2({ name: NAME, geometry, piecesRoot: root, secret }),
  });
  const one = make(Buffer.alloc(32, 1));
  const other = make(Buffer.alloc(32, 2));
  t.is(new Set([infoV1, one.v1, other.v1].map(infoHashV1)).size, 3);
  t.is(new Set([infoV2, one.v2, other.v2].map(infoHashV2)).size, 3);
  t.deepEqual(parseInfoV1(one.v1), parseInfoV1(infoV1));
  t.deepEqual(parseInfoV2(one.v2), parseInfoV2(infoV2));
  t.true(one.v1.includes("7:privatei1e") && one.v2.includes("7:privatei1e"));
  t.truthy(layer);
});
