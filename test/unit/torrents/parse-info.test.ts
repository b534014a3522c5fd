/** Info dicts and paths of strangers: layouts, bounds, and that nothing leads outside. */
import test from "ava";
import fc from "fast-check";
import { SkimmerError } from "../../../system/errors.ts";
import { type Encodable, encode } from "../../../torrents/bencode.ts";
import { paddedLengthAt, pieceLengthAt, unpaddedBytes } from "../../../torrents/geometry.ts";
import { parseInfos } from "../../../torrents/parse-info.ts";
import { parseTorrentFile } from "../../../torrents/parse-torrent-file.ts";
import { safeName } from "../../../torrents/safe-name.ts";
import { nameCleaner, PathKeeper, safePath } from "../../../torrents/safe-paths.ts";

const PIECE = 16_384;
const ROOT = Buffer.alloc(32, 7);

const v1 = (files: Encodable[], pieceCount: number, more: Record<string, Encodable> = {}): Buffer =>
  encode({ files, name: "set", "piece length": PIECE, pieces: Buffer.alloc(pieceCount * 20, 1), ...more });
const entry = (length: number, ...path: string[]): Encodable => ({ length, path });
const pad = (length: number): Encodable => ({ attr: "p", length, path: [".pad", String(length)] });
const leaf = (length: number): Encodable => ({ "": length > 0 ? { length, "pieces root": ROOT } : { length } });
const v2 = (tree: Map<string, Encodable>): Buffer => encode({ "file tree": tree, "meta version": 2, name: "set", "piece length": PIECE });
const places = (layout: ReturnType<typeof parseInfos>["layout"]) =>
  layout.files.map(({ path, offset, lengthBytes }) => [path.join("/"), offset, lengthBytes]);

test("parseInfos() puts v1 files end to end; pieces span them", (t) => {
  const { layout, sha1s } = parseInfos({ infoV1: v1([entry(10_000, "a"), entry(0, "empty"), entry(10_000, "d", "b")], 2) });
  t.deepEqual(places(layout), [
    ["a", 0, 10_000],
    ["empty", 10_000, 0],
    ["d/b", 10_000, 10_000],
  ]);
  t.like(layout.geometry, { lengthBytes: 20_000, pieceCount: 2, padded: undefined });
  t.is(sha1s?.length, 40);
  t.false(layout.isSingle);
});

test("parseInfos() leaves padding files out; the pieces that end in them know their content", (t) => {
  const { layout } = parseInfos({ infoV1: v1([entry(10_000, "a"), pad(6_384), entry(5, "b")], 2) });
  t.deepEqual(places(layout), [
    ["a", 0, 10_000],
    ["b", PIECE, 5],
  ]);
  t.deepEqual([pieceLengthAt(layout.geometry, 0), paddedLengthAt(layout.geometry, 0)], [10_000, PIECE]);
  t.is(unpaddedBytes(layout.geometry), 10_005);
});

test("parseInfos() begins each v2 file with a piece, in the order of the tree", (t) => {
  const tree = new Map<string, Encodable>([
    ["a", leaf(10_000)],
    ["d", new Map<string, Encodable>([["b", leaf(PIECE + 1)]])],
    ["e", leaf(0)],
    ["z", leaf(PIECE)],
  ]);
  const { layout } = parseInfos({ infoV2: v2(tree) });
  t.deepEqual(places(layout), [
    ["a", 0, 10_000],
    ["d/b", PIECE, PIECE + 1],
    ["e", 2 * PIECE + 1, 0],
    ["z", 3 * PIECE, PIECE],
  ]);
  t.is(layout.geometry.pieceCount, 4);
  t.is(unpaddedBytes(layout.geometry), 10_000 + PIECE + 1 + PIECE);
});

test("parseInfos() takes a hybrid whose halves agree, and refuses one whose halves differ", (t) => {
  const tree = new Map<string, Encodable>([
    ["a", leaf(10_000)],
    ["b", leaf(5)],
  ]);
  const halves = { "file tree": tree, "meta version": 2 };
  const good = v1([entry(10_000, "a"), pad(6_384), entry(5, "b")], 2, halves);
  t.deepEqual(parseInfos({ infoV1: good, infoV2: good }).layout.files[1].piecesRoot, ROOT);
  for (const files of [
    [entry(10_000, "a"), pad(6_384), entry(6, "b")],
    [entry(10_000, "a"), pad(6_384), entry(5, "c")],
    [entry(10_000, "a"), entry(5, "b"), pad(6_384)],
  ]) {
    const bad = v1(files, 2, halves);
    t.throws(() => parseInfos({ infoV1: bad, infoV2: bad }), { code: "protocol" });
  }
});

test("parseInfos() notes private torrents, executables and symbolic links", (t) => {
  const files = [
    { attr: "x", length: 5, path: ["run"] },
    { attr: "l", length: 0, path: ["link"], "symlink path": ["..", "run"] },
  ];
  const { layout, isPrivate } = parseInfos({ infoV1: v1(files, 1, { private: 1 }) });
  t.true(isPrivate);
  t.deepEqual(
    layout.files.map(({ executable, symlink }) => [executable, symlink]),
    [
      [true, undefined],
      [false, ["run"]],
    ],
  );
});

test("parseInfos() refuses what is impossible", (t) => {
  const refused = (info: Buffer, version: "infoV1" | "infoV2" = "infoV1"): unknown =>
    t.throws(() => parseInfos({ [version]: info }), { code: "protocol" });
  refused(v1([entry(-1, "a")], 0));
  refused(v1([entry(5, "..")], 1));
  refused(v1([entry(5)], 1));
  refused(v1([entry(5, "a")], 2));
  refused(v1([{ length: 5, path: [7] }], 1));
  refused(v1([entry(5, ...Array.from({ length: 65 }, () => "a"))], 1));
  refused(v1([entry(2 ** 52, "a"), entry(2 ** 52, "b")], 1));
  refused(v1([entry(5, "a")], 1, { "piece length": 1 }));
  refused(v1([entry(5, "a")], 1, { "piece length": 2 ** 30 }));
  refused(v2(new Map<string, Encodable>([["a", 5]])), "infoV2");
  refused(v2(new Map<string, Encodable>([["a", { "": { length: 5 } }]])), "infoV2");
  refused(encode({ "file tree": { a: leaf(1) }, "meta version": 3, name: "x", "piece length": PIECE }), "infoV2");
});

test("paths never lead outside, never collide without regard to case, and no file is another's folder", (t) => {
  const part = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom("..", ".", "", "a", "A", "a.txt", "A.TXT", "/", "\\", "\u0000", "x".repeat(300), "é".repeat(200)),
  );
  fc.assert(
    fc.property(fc.array(fc.array(part, { maxLength: 5 }), { maxLength: 30 }), (paths) => {
      const keeper = new PathKeeper();
      const seen = new Set<string>();
      const folders = new Set<string>();
      for (const path of paths) {
        let clean: string[];
        try {
          clean = safePath(path);
        } catch (error) {
          if (error instanceof SkimmerError) continue;
          throw error;
        }
        const placed = keeper.place(clean);
        const key = placed.join("/").normalize("NFC").toLowerCase();
        if (seen.has(key) || folders.has(key)) return false;
        seen.add(key);
        for (let end = 1; end < placed.length; end++) folders.add(placed.slice(0, end).join("/").normalize("NFC").toLowerCase());
        const isSafe = (name: string): boolean =>
          name !== "" &&
          name !== "." &&
          name !== ".." &&
          !["/", "\\", "\0"].some((character) => name.includes(character)) &&
          Buffer.byteLength(name) <= 255;
        if (!placed.every(isSafe)) return false;
      }
      return ![...seen].some((key) => folders.has(key));
    }),
    { numRuns: 500 },
  );
  t.pass();
});

/** A v2 tree: `count` empty files below folders of one name inside each other. */
function deepTree(folder: string, depth: number, count: number): Map<string, Encodable> {
  let tree = new Map<string, Encodable>(Array.from({ length: count }, (_, index) => [String(index).padStart(5, "0"), leaf(0)]));
  tree.set("full", leaf(1));
  for (let level = 0; level < depth; level++) tree = new Map([[folder, tree]]);
  return tree;
}

test("parseInfos() refuses paths that are gigabytes together, and takes deep ones in bounded work", (t) => {
  t.throws(() => parseInfos({ infoV2: v2(deepTree("f".repeat(45), 62, 40_000)) }), { code: "protocol", message: /too long together/ });
  const startedMs = performance.now();
  const { layout } = parseInfos({ infoV2: v2(deepTree("f", 62, 40_000)) });
  t.is(layout.files.length, 40_001);
  t.is(layout.files[7].path.length, 63);
  t.true(performance.now() - startedMs < 10_000);
});

test("parseInfos() makes hostile v1 paths harmless, and goes by path.utf-8 where it is given", (t) => {
  const paths = [
    ["", "a", "", "b"],
    ["..", "..", "etc", "passwd"],
    ["/etc/shadow"],
    ["n\0l"],
    ["f"],
    ["f", "g"],
    ["F"],
    [" .. ", "h"],
    ["f.1"],
  ];
  const files = [...paths.map((path) => entry(1, ...path)), { length: 1, path: ["latin"], "path.utf-8": ["..", "ütf"] }];
  t.deepEqual(
    parseInfos({ infoV1: v1(files, 1) }).layout.files.map(({ path }) => path.join("/")),
    ["a/b", "etc/passwd", "_etc_shadow", "n_l", "f", "f.1/g", "F.2", "download/h", "f.1.1", "ütf"],
  );
});

test("nameCleaner() cleans each name once, also where the folders of all files are the same", (t) => {
  let calls = 0;
  const clean = nameCleaner((name) => {
    calls++;
    return safeName(name);
  });
  const folders = Array.from({ length: 60 }, (_, index) => `folder ${index}`);
  for (let file = 0; file < 1000; file++) safePath([...folders, `${file}\n`], clean);
  t.is(calls, 60 + 1000);
});

test("PathKeeper numbers long names that differ after the cut without counting from one again", (t) => {
  const keeper = new PathKeeper();
  const names = Array.from({ length: 20_000 }, (_, index) => "n".repeat(240) + String(index));
  const startedMs = performance.now();
  for (const name of names) keeper.place([name]);
  const placed = names.map((name) => keeper.place([name])[0]);
  t.is(new Set(placed).size, names.length);
  t.is(placed[19_999], `${"n".repeat(200)}.20000`);
  t.true(performance.now() - startedMs < 10_000);
});

test("a folder keeps its place whatever files come between", (t) => {
  const keeper = new PathKeeper();
  const places = [["x"], ["x", "a"], ["x"], ["x", "b"], ["X"], ["x", "A"], ["é"], ["e\u0301"]].map((path) => keeper.place(path).join("/"));
  t.deepEqual(places, ["x", "x.1/a", "x.2", "x.1/b", "X.3", "x.1/A.1", "é", "e\u0301.1"]);
});

test("parseInfos() and parseTorrentFile() never throw anything but a refusal", (t) => {
  const value: fc.Arbitrary<Encodable> = fc.letrec<{ value: Encodable }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.integer(),
      fc.uint8Array({ maxLength: 40 }),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom("", "length", "path", "attr", "pieces root", "a", "symlink path"), tie("value"), { maxKeys: 4 }),
    ),
  })).value;
  const keys = fc.constantFrom(
    "files",
    "file tree",
    "length",
    "meta version",
    "name",
    "piece length",
    "pieces",
    "private",
    "info",
    "piece layers",
    "nodes",
  );
  const refusal = (read: () => unknown): boolean => {
    try {
      read();
    } catch (error) {
      return error instanceof SkimmerError;
    }
    return true;
  };
  fc.assert(
    fc.property(fc.dictionary(keys, value), (given) => {
      const dict = encode({ "piece length": PIECE, "meta version": 2, name: "n", ...given });
      return (
        refusal(() => parseInfos({ infoV1: dict })) && refusal(() => parseInfos({ infoV2: dict })) && refusal(() => parseTorrentFile(dict))
      );
    }),
    { numRuns: 1000 },
  );
  t.pass();
});
