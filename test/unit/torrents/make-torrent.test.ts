/** Torrents of one's own: what others' parsers read in them, and what ours does. */
import { createHash } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import parseTorrent from "parse-torrent";
import { encode } from "../../../torrents/bencode.ts";
import { parseFileRanges, selectFiles, spansOf } from "../../../torrents/file-selection.ts";
import { infoHashV1 } from "../../../torrents/final-torrents.ts";
import { parseMagnet } from "../../../torrents/magnet-link.ts";
import { compareFiles, layersOf, layoutOf, makeHybrid, makeOwnV1, makeOwnV2, type OwnContent } from "../../../torrents/make-torrent.ts";
import { parseInfos } from "../../../torrents/parse-info.ts";
import { torrentFile } from "../../../torrents/torrent-file.ts";

const PIECE = 16_384;
const CONTENT: OwnContent = {
  name: "set",
  isSingle: false,
  pieceLengthBytes: PIECE,
  files: [
    { path: ["z"], lengthBytes: PIECE, executable: false },
    { path: ["d", "b"], lengthBytes: 3 * PIECE + 1, executable: true },
    { path: ["d.a"], lengthBytes: 5, executable: false },
    { path: ["e"], lengthBytes: 0, executable: false },
  ],
};

function hashesFor(pieceCount: number) {
  const roots = Buffer.concat(Array.from({ length: pieceCount }, (_, index) => createHash("sha256").update(String(index)).digest()));
  return { sha1s: Buffer.alloc(pieceCount * 20, 3), roots };
}

test("made torrents are read back as they were laid out, in all versions", (t) => {
  const plain = layoutOf(CONTENT, false);
  const aligned = layoutOf(CONTENT, true);
  const hashes = hashesFor(aligned.geometry.pieceCount);
  const paths = (layout: { files: readonly { path: readonly string[]; offset: number; executable: boolean; lengthBytes: number }[] }) =>
    layout.files.map(({ path, offset, executable, lengthBytes }) => [path.join("/"), lengthBytes > 0 ? offset : -1, executable]);
  const infoV1 = makeOwnV1(plain, hashesFor(plain.geometry.pieceCount), true);
  t.deepEqual(paths(parseInfos({ infoV1 }).layout), paths(plain));
  t.true(parseInfos({ infoV1 }).isPrivate);
  const infoV2 = makeOwnV2(aligned, hashes, false);
  t.deepEqual(paths(parseInfos({ infoV2 }).layout), paths(aligned));
  t.false(parseInfos({ infoV2 }).isPrivate);
  const hybrid = makeHybrid(aligned, hashes, false);
  const both = parseInfos({ infoV1: hybrid, infoV2: hybrid });
  t.deepEqual(paths(both.layout), paths(aligned));
  t.deepEqual(both.layout.geometry, aligned.geometry);
  t.deepEqual(
    layersOf(aligned, hashes.roots).map(({ hashes: layer }) => layer.length),
    [4 * 32],
  );
});

test("parse-torrent reads our v1 torrent of a folder and of a file", async (t) => {
  const plain = layoutOf(CONTENT, false);
  const infoV1 = makeOwnV1(plain, hashesFor(plain.geometry.pieceCount), false);
  const parsed = await parseTorrent(torrentFile({ info: infoV1, trackers: ["http://t/a"], webSeeds: ["http://w/"] }));
  t.is(parsed.infoHash, infoHashV1(infoV1));
  t.deepEqual(
    parsed.files?.map(({ path, length }) => [path, length]),
    [
      ["set/d/b", 3 * PIECE + 1],
      ["set/d.a", 5],
      ["set/e", 0],
      ["set/z", PIECE],
    ],
  );
  const single = layoutOf({ ...CONTENT, name: "f", isSingle: true, files: [{ path: ["f"], lengthBytes: 5, executable: false }] }, true);
  const file = makeOwnV1(single, hashesFor(1), false);
  t.deepEqual(
    (await parseTorrent(torrentFile({ info: file, trackers: [] }))).files?.map(({ path }) => path),
    ["f"],
  );
  t.true(parseInfos({ infoV1: file, infoV2: makeOwnV2(single, hashesFor(1), false) }).layout.isSingle);
});

test("compareFiles() is the order of the bencoded tree, for any names", (t) => {
  const name = fc.stringMatching(/^[a-c.é]{1,3}$/).filter((text) => text !== "." && text !== "..");
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.array(name, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12, selector: (path) => path[0] }),
      (paths) => {
        const files = paths.map((path) => ({ path, lengthBytes: 5, executable: false }));
        const layout = layoutOf({ ...CONTENT, files }, true);
        const infoV2 = makeOwnV2(layout, hashesFor(layout.geometry.pieceCount), false);
        const read = parseInfos({ infoV2 }).layout.files.map(({ path }) => path.join("/"));
        return (
          read.join("\n") ===
          [...files]
            .sort(compareFiles)
            .map(({ path }) => path.join("/"))
            .join("\n")
        );
      },
    ),
  );
  t.pass();
});

test("selectFiles() takes numbers and patterns; spansOf() joins the pieces that files share", (t) => {
  const layout = layoutOf(CONTENT, false);
  // d/b is pieces 0 to 3, d.a is in piece 3, z in 3 and 4
  t.deepEqual(selectFiles(layout, undefined), [0, 1, 2, 3]);
  t.deepEqual(selectFiles(layout, { ranges: parseFileRanges("2,4-9", 1), patterns: [] }), [1, 3]);
  t.deepEqual(selectFiles(layout, { ranges: [], patterns: ["b"] }), [0]);
  t.deepEqual(selectFiles(layout, { ranges: [], patterns: ["d/*", "z"] }), [0, 3]);
  t.throws(() => selectFiles(layout, { ranges: [], patterns: ["none"] }), { code: "bad_request" });
  t.deepEqual(spansOf(layout, [1]), [{ first: 3, last: 3 }]);
  t.deepEqual(spansOf(layout, [0, 3]), [{ first: 0, last: 4 }]);
  t.deepEqual(spansOf(layout, [2]), []);
  for (const text of ["", "0", "3-1", "a", "1,,2", "-1"]) t.throws(() => parseFileRanges(text, 1), { code: "bad_request" }, text);
});

test("parseMagnet() reads so=, ws=, numbered tr. and both hashes of a hybrid, and never throws anything but a refusal", (t) => {
  const v2 = "ab".repeat(32);
  const link = parseMagnet(`magnet:?xt.1=urn:btih:${"cd".repeat(20)}&xt.2=urn:btmh:1220${v2}&so=0,2-3&ws=http://w/&tr.1=http://t/`);
  t.deepEqual(link.hashes as readonly string[], ["cd".repeat(20), v2.slice(0, 40)]);
  t.deepEqual(link.selected, [
    { first: 0, last: 0 },
    { first: 2, last: 3 },
  ]);
  t.deepEqual([link.webSeeds, link.trackers], [["http://w/"], ["http://t/"]]);
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseMagnet(`magnet:?${text}`);
      } catch (error) {
        return (error as { code?: string }).code === "bad_request";
      }
      return true;
    }),
  );
});

test("an encoded info dict survives: bytes of names, empty files, order", (t) => {
  const files = [{ path: ["ü", "空"], lengthBytes: 1, executable: false }];
  const layout = layoutOf({ ...CONTENT, files }, true);
  const info = makeOwnV2(layout, hashesFor(1), false);
  t.deepEqual(parseInfos({ infoV2: info }).layout.files[0].path, ["ü", "空"]);
  t.true(info.includes(encode("空")));
});
