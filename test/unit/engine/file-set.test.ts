/** The store of torrents of several files: where bytes lie, what is read and written, what vanished; and the engine on top of it. */
import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { LayerStore } from "../../../peer/engine/layer-store.ts";
import { PieceTruth } from "../../../peer/engine/piece-truth.ts";
import { FileExtents } from "../../../peer/engine/store/file-extents.ts";
import { FileSet } from "../../../peer/engine/store/file-set.ts";
import type { Engine, TorrentSpec } from "../../../peer/engine/types.ts";
import { geometryOf, pieceLengthAt, pieceOffset } from "../../../torrents/geometry.ts";
import { layoutOf, makeHybrid, makeOwnV1, makeOwnV2, type OwnContent } from "../../../torrents/make-torrent.ts";
import { piecesRoot } from "../../../torrents/merkle.ts";
import { parseInfos } from "../../../torrents/parse-info.ts";
import { completed, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";

const PIECE = 16_384;

test("FileExtents.extents() covers any run once, in order, with files and padding where they are", (t) => {
  const file = fc.record({ gap: fc.nat(20), lengthBytes: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 8 }), fc.nat(150), fc.nat(150), (raw, offset, lengthBytes) => {
      let end = 0;
      const files = raw.map(({ gap, lengthBytes: length }) => {
        const placed = { offset: end + gap, lengthBytes: length };
        end = placed.offset + length;
        return placed;
      });
      let at = 0;
      for (const extent of new FileExtents(files).extents(offset, lengthBytes)) {
        if (extent.start !== at || extent.lengthBytes <= 0) return false;
        for (let step = 0; step < extent.lengthBytes; step++) {
          const position = offset + at + step;
          const owner = files.findIndex((own) => position >= own.offset && position < own.offset + own.lengthBytes);
          if (owner !== (extent.file ?? -1)) return false;
          if (owner >= 0 && files[owner].offset + extent.fileOffset + step !== position) return false;
        }
        at += extent.lengthBytes;
      }
      return at === lengthBytes;
    }),
  );
  t.pass();
});

test("FileSet makes files when they are written, reads padding as zeros, and tells what vanished or was cut", async (t) => {
  await using folder = await temporaryFolder();
  const at = (name: string): string => join(folder.path, "files", name);
  const files = [
    { path: at("0"), offset: 0, lengthBytes: 10 },
    { path: at("1"), offset: 10, lengthBytes: 0 },
    { path: at("2"), offset: 20, lengthBytes: 10 },
  ];
  const set = await FileSet.open(files, { path: folder.path, inPlace: false });
  t.true(set.lacks(0, 1));
  t.false(set.lacks(10, 10), "padding is nowhere");
  const { parts, release } = await set.place(5, 20);
  t.deepEqual(
    parts?.map(({ offset, start, lengthBytes }) => [offset, start, lengthBytes]),
    [
      [5, 0, 5],
      [0, 15, 5],
    ],
  );
  for (const { fd, offset, start } of parts ?? []) writeSync(fd, Buffer.alloc(5, start + 1), 0, 5, offset);
  release();
  const bytes = Buffer.alloc(30, 9);
  await set.read(bytes, 0);
  t.deepEqual(bytes, Buffer.concat([Buffer.alloc(5), Buffer.alloc(5, 1), Buffer.alloc(10), Buffer.alloc(5, 16), Buffer.alloc(5)]));
  const stamp = await set.stamp();
  await set.close();
  await truncate(at("2"), 3);
  const again = await FileSet.open(files, { path: folder.path, inPlace: false });
  t.deepEqual([again.lacks(0, 10), again.lacks(15, 6)], [false, true]);
  t.not(await again.stamp(), stamp);
  await again.close();
});

test("FileSet in place never writes, whatever is asked", async (t) => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "a"), "hello");
  const set = await FileSet.open([{ path: join(folder.path, "a"), offset: 0, lengthBytes: 5 }], { path: folder.path, inPlace: true });
  await t.throwsAsync(set.place(0, 5), { code: "origin_changed" });
  await set.close();
});

test("LayerStore takes only layers that lead to the root, and tells which hashes are missing", (t) => {
  const geometry = geometryOf({ lengthBytes: 3 * PIECE, pieceLengthBytes: PIECE });
  const layer = Buffer.concat([1, 2, 3].map((byte) => Buffer.alloc(32, byte)));
  const root = piecesRoot(layer, geometry);
  const small = { piecesRoot: Buffer.alloc(32, 8), firstPiece: 3, geometry: geometryOf({ lengthBytes: 5, pieceLengthBytes: PIECE }) };
  const files = [{ piecesRoot: root, firstPiece: 0, geometry }, small, { piecesRoot: root, firstPiece: 4, geometry }];
  const truth = new PieceTruth(geometryOf({ lengthBytes: 7 * PIECE, pieceLengthBytes: PIECE }), files);
  let learnt = 0;
  truth.onLearnt = () => learnt++;
  const { layers } = truth;
  t.true(layers instanceof LayerStore);
  t.is(layers.files.length, 2, "a file of one piece has no layer");
  t.deepEqual(truth.expectation(3), { root: small.piecesRoot });
  t.is(truth.leafCountAt(3), 1);
  const [first] = layers.files;
  t.false(layers.useLayer(first, Buffer.alloc(96)));
  t.is(layers.firstMissing(first), 0);
  layers.addProven(first, 0, layer.subarray(0, 32));
  t.is(layers.firstMissing(first), 1);
  t.is(layers.layerOf(first), undefined);
  t.true(layers.useLayer(first, layer));
  t.deepEqual(layers.layerOf(first), layer);
  t.deepEqual(layers.missing, [], "an equal file has them too");
  t.is(learnt, 2);
});

const CONTENT: OwnContent = {
  name: "set",
  isSingle: false,
  pieceLengthBytes: PIECE,
  files: [
    { path: ["a"], lengthBytes: 5, executable: false },
    { path: ["b"], lengthBytes: 4 * PIECE + 7, executable: false },
    { path: ["d", "c"], lengthBytes: 20_000, executable: false },
    { path: ["d", "e"], lengthBytes: 0, executable: false },
  ],
};

/** Files in a folder, and a spec of each kind that was made of them. */
async function prepare(
  folder: string,
  engine: Engine,
): Promise<{ inPlace: string; specs: Record<string, Omit<TorrentSpec, "directory">> }> {
  const inPlace = join(folder, "own");
  await mkdir(join(inPlace, "d"), { recursive: true });
  for (const { path, lengthBytes } of CONTENT.files) await writeFile(join(inPlace, ...path), randomBytes(lengthBytes));
  const plain = layoutOf(CONTENT, false);
  const aligned = layoutOf(CONTENT, true);
  const signal = AbortSignal.timeout(30_000);
  const { sha1s } = await engine.hashFiles({ layout: plain, inPlace }, { wants: { sha1s: true, roots: false }, signal });
  const hashes = await engine.hashFiles({ layout: aligned, inPlace }, { wants: { sha1s: true, roots: true }, signal });
  const hybrid = makeHybrid(aligned, hashes, false);
  const dicts = {
    v1: { infoV1: makeOwnV1(plain, { sha1s }, false) },
    v2: { infoV2: makeOwnV2(aligned, hashes, false), pieceLayer: hashes.roots },
    hybrid: { infoV1: hybrid, infoV2: hybrid, pieceLayer: hashes.roots },
  };
  const specs = Object.fromEntries(
    Object.entries(dicts).map(([name, infos]) => {
      const { layout } = parseInfos(infos);
      return [name, { name: layout.name, geometry: layout.geometry, layout, ...infos }];
    }),
  );
  return { inPlace, specs };
}

for (const version of ["v1", "v2", "hybrid"]) {
  test(`the engine moves a ${version} torrent of several files from files in place to a store, and finds what vanished from it`, async (t) => {
    await using folder = await temporaryFolder();
    await using seeder = await startEngine("peer");
    await using leecher = await startEngine("peer");
    const { inPlace, specs } = await prepare(folder.path, seeder);
    const spec = specs[version];
    const source = await seeder.add({ ...spec, directory: join(folder.path, "seed"), inPlace, verified: true });
    t.true(source.complete);
    const directory = join(folder.path, "leech");
    const target = await leecher.add({ ...spec, directory });
    target.addPeers([{ host: "127.0.0.1", port: seeder.address.port }]);
    target.download(true);
    await completed(target);
    for (const [index, { path, lengthBytes }] of spec.layout?.files.entries() ?? []) {
      if (lengthBytes === 0) continue;
      t.true((await readFile(target.filePaths[index])).equals(await readFile(join(inPlace, ...path))), path.join("/"));
    }
    t.is((await readdir(join(directory, "files"))).length, 3, "an empty file is not stored");
    await leecher.remove(target);
    const lost = target.filePaths[spec.layout?.files.findIndex(({ path }) => path[0] === "b") ?? 0];
    await rm(lost);
    const again = await leecher.add({ ...spec, directory });
    t.false(again.complete);
    t.true(again.stats.piecesHave > 0, "the other files are kept");
    // what is wrong in place is told by the hashes when it is read again
    for (let index = 0; index < again.geometry.pieceCount; index++) {
      if (again.has(index)) continue;
      const buffer = await again.acquire(index, { signal: AbortSignal.timeout(10_000) });
      t.is(buffer.bytes.length, pieceLengthAt(spec.geometry, index));
      buffer.bytes.fill(7);
      t.is((await again.deliver(buffer, "origin")).kind, "mismatch", `piece ${index} at ${pieceOffset(spec.geometry, index)}`);
    }
    again.addPeers([{ host: "127.0.0.1", port: seeder.address.port }]);
    again.download(true);
    await completed(again);
    t.true((await readFile(lost)).equals(await readFile(join(inPlace, "b"))));
  });
}
