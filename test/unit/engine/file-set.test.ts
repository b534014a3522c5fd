/** The store of torrents of several files: where bytes lie, what is read and written, what vanished; and the engine on top of it. */
import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import test from "ava";
import fc from "fast-check";
import { HashWorkers } from "../../../peer/engine/hash-workers.ts";
import { LayerStore } from "../../../peer/engine/layer-store.ts";
import type { Slot } from "../../../peer/engine/piece-buffers.ts";
import { PieceTruth } from "../../../peer/engine/piece-truth.ts";
import { FileExtents } from "../../../peer/engine/store/file-extents.ts";
import { FileSet } from "../../../peer/engine/store/file-set.ts";
import { readMeta } from "../../../peer/engine/store/torrent-meta.ts";
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

test("FileSet keeps no more than a few files of a piece open: thousands are made, and opened by whoever writes", async (t) => {
  await using folder = await temporaryFolder();
  const count = 2000;
  const files = Array.from({ length: count }, (_, index) => ({
    path: join(folder.path, "files", String(index)),
    offset: index * 8,
    lengthBytes: 8,
  }));
  const set = await FileSet.open(files, { path: folder.path, inPlace: false });
  const openBefore = (await readdir("/proc/self/fd")).length;
  const { release, ...place } = await set.place(4, count * 8 - 8);
  t.is(place.parts?.length, count);
  t.true((await readdir("/proc/self/fd")).length < openBefore + 100);
  const workers = new HashWorkers();
  const shared = new SharedArrayBuffer(count * 8);
  const piece = randomBytes(count * 8 - 8);
  Buffer.from(shared).set(piece);
  const job = { lengthBytes: piece.length, leafCount: 0, sha1: false, ...place };
  const result = await workers.run({ memory: { id: 1, shared } as Slot["memory"], offset: 0 }, job);
  t.is(result.error, undefined);
  release();
  const found = Buffer.alloc(piece.length);
  await set.read(found, 4);
  t.true(found.equals(piece));
  await set.close();
  await workers.close();
});

test("FileSet reads, opens and makes nothing any more once it is closed", async (t) => {
  await using folder = await temporaryFolder();
  const files = Array.from({ length: 40 }, (_, index) => ({
    path: join(folder.path, "files", String(index)),
    offset: index,
    lengthBytes: 1,
  }));
  const set = await FileSet.open(files, { path: folder.path, inPlace: false });
  await set.close();
  await t.throwsAsync(async () => set.place(0, 2), { message: /is closed/ });
  await t.throwsAsync(async () => set.place(0, 40), { message: /is closed/ });
  await t.throwsAsync(set.read(Buffer.alloc(1), 0), { message: /is closed/ });
  t.deepEqual(await readdir(folder.path), []);
});

test("removing a torrent waits for the pieces that threads still write: their file numbers are nobody else's before", async (t) => {
  await using folder = await temporaryFolder();
  await using engine = await startEngine("peer");
  const { specs } = await prepare(folder.path, engine);
  const torrent = await engine.add({ ...specs.v1, directory: join(folder.path, "store") });
  const bytes = await readFile(join(folder.path, "own", "a"));
  const rest = await readFile(join(folder.path, "own", "b"));
  const content = Buffer.concat([bytes, rest]);
  const buffer = await torrent.acquire(0, { signal: AbortSignal.timeout(10_000) });
  const late = await torrent.acquire(1, { signal: AbortSignal.timeout(10_000) });
  for (const { index, bytes: target } of [buffer, late]) target.set(content.subarray(index * PIECE, (index + 1) * PIECE));
  const order: string[] = [];
  const delivered = torrent.deliver(buffer, "origin").finally(() => order.push("delivered"));
  const removed = engine.remove(torrent).finally(() => order.push("removed"));
  await Promise.all([delivered, removed]);
  t.deepEqual(order, ["delivered", "removed"]);
  t.true((await readFile(torrent.filePaths[0])).equals(bytes), "what was under way is written to its own file");
  await rm(join(folder.path, "store"), { recursive: true });
  t.is((await torrent.deliver(late, "origin")).kind, "mismatch");
  await t.throwsAsync(readdir(join(folder.path, "store")), { code: "ENOENT" }, "what comes later is not written at all");
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

test("LayerStore takes the layer of ten thousands of equal files once", (t) => {
  const count = 50_000;
  const geometry = geometryOf({ lengthBytes: 2 * PIECE, pieceLengthBytes: PIECE });
  const layer = Buffer.concat([1, 2].map((byte) => Buffer.alloc(32, byte)));
  const root = piecesRoot(layer, geometry);
  const files = Array.from({ length: count }, (_, at) => ({ piecesRoot: root, firstPiece: 2 * at, geometry }));
  const truth = new PieceTruth(geometryOf({ lengthBytes: 2 * count * PIECE, pieceLengthBytes: PIECE }), files);
  let learnt = 0;
  truth.onLearnt = () => learnt++;
  const whole = Buffer.concat(Array.from({ length: count }, () => layer));
  t.true(truth.useLayer(whole));
  t.is(learnt, 1);
  t.true(truth.layer.equals(whole));
  whole[whole.length - 1] ^= 1;
  t.false(truth.useLayer(whole));
});

test("LayerStore gives nothing to a file of another length that claims the same root", (t) => {
  const geometry = geometryOf({ lengthBytes: 4 * PIECE, pieceLengthBytes: PIECE });
  const layer = randomBytes(4 * 32);
  const root = piecesRoot(layer, geometry);
  const short = { piecesRoot: root, firstPiece: 4, geometry: geometryOf({ lengthBytes: 2 * PIECE, pieceLengthBytes: PIECE }) };
  const files = [{ piecesRoot: root, firstPiece: 0, geometry }, short];
  const truth = new PieceTruth(geometryOf({ lengthBytes: 6 * PIECE, pieceLengthBytes: PIECE }), files);
  t.true(truth.layers.useLayer(truth.layers.files[0], layer));
  t.is(truth.layers.firstMissing(short), 0);
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

test("hashes that peers brought to a v2 magnet are saved before it is complete: a power loss takes no piece", async (t) => {
  await using folder = await temporaryFolder();
  await using seeder = await startEngine("peer");
  await using leecher = await startEngine("peer");
  const { inPlace, specs } = await prepare(folder.path, seeder);
  await seeder.add({ ...specs.v2, directory: join(folder.path, "seed"), inPlace, verified: true });
  const directory = join(folder.path, "leech");
  const target = await leecher.add({ ...specs.v2, pieceLayer: undefined, directory, downloadBytesPerSecond: 1 });
  target.addPeers([{ host: "127.0.0.1", port: seeder.address.port }]);
  target.download(true);
  const saved = async (): Promise<Buffer | undefined> => (await readMeta(join(directory, "meta"))).pieceLayer;
  for (const endMs = Date.now() + 30_000; (await saved()) === undefined && Date.now() < endMs; ) await setTimeout(20);
  t.true((await saved())?.equals(specs.v2.pieceLayer as Buffer));
  t.false(target.complete);
});

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

test("hashing files in place tells why a file cannot be read, and the caller's reason where it gave up", async (t) => {
  await using folder = await temporaryFolder();
  await using engine = await startEngine("peer");
  const { inPlace } = await prepare(folder.path, engine);
  const layout = layoutOf(CONTENT, false);
  const wants = { sha1s: true, roots: false };
  await t.throwsAsync(engine.hashFiles({ layout, inPlace }, { wants, signal: AbortSignal.abort(new Error("enough")) }), {
    message: "enough",
  });
  await rm(join(inPlace, "b"));
  await t.throwsAsync(engine.hashFiles({ layout, inPlace }, { wants, signal: AbortSignal.timeout(30_000) }), { code: "ENOENT" });
});
