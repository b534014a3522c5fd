/** The live info dict: what we make is accepted, what a stranger makes is checked. */
import { hash } from "node:crypto";
import test from "ava";
import { encode } from "../../../torrents/bencode.ts";
import { geometryOf, MAX_PIECE_COUNT } from "../../../torrents/geometry.ts";
import { checkedGeometry, encodeLiveInfo, type LiveInfo, liveInfoHash, parseLiveInfo } from "../../../torrents/live-info.ts";
import { refuses } from "./refuses.ts";

const KIB = 1024;
const info: LiveInfo = {
  name: "näme.bin",
  lengthBytes: 600_001,
  pieceLengthBytes: 256 * KIB,
  key: Buffer.alloc(32, 1),
  task: Buffer.alloc(32, 2),
};

test("parseLiveInfo() gives back what encodeLiveInfo() took, and the geometry", (t) => {
  t.deepEqual(parseLiveInfo(encodeLiveInfo(info)), { ...info, geometry: geometryOf(info) });
});

test("parseLiveInfo() keeps no view of the bytes it read", (t) => {
  const bytes = encodeLiveInfo(info);
  const { key, task } = parseLiveInfo(bytes);
  bytes.fill(0);
  t.deepEqual({ key, task }, { key: info.key, task: info.task });
});

test("liveInfoHash() is SHA-256 cut to 20 bytes", (t) => {
  const bytes = encodeLiveInfo(info);
  t.is<string, string>(liveInfoHash(bytes), hash("sha256", bytes, "buffer").toString("hex", 0, 20));
});

const good = {
  length: info.lengthBytes,
  live: { key: info.key, task: info.task },
  "meta version": 2,
  name: info.name,
  "piece length": info.pieceLengthBytes,
};
for (const [what, change] of Object.entries({
  "no length": { length: undefined },
  "a negative length": { length: -1 },
  "a length that is text": { length: "5" },
  "too many pieces": { length: MAX_PIECE_COUNT * info.pieceLengthBytes + 1 },
  "a piece length of 0": { "piece length": 0 },
  "a piece length of 8 KiB": { "piece length": 8 * KIB },
  "a piece length of 32 MiB": { "piece length": 32 * KIB * KIB },
  "a piece length that is no power of two": { "piece length": 3 * 16 * KIB },
  "a negative piece length": { "piece length": -(2 ** 31) },
  "no live dict": { live: undefined },
  "a short key": { live: { key: Buffer.alloc(31), task: info.task } },
  "a long task": { live: { key: info.key, task: Buffer.alloc(33) } },
  "another meta version": { "meta version": 1 },
  "no name": { name: undefined },
  "an empty name": { name: "" },
  "a path for a name": { name: "../../etc/passwd" },
  "a name with a line end": { name: "a\nb" },
  "a name of dots": { name: ".." },
})) {
  test(`parseLiveInfo() refuses ${what}`, (t) => {
    t.notThrows(() => parseLiveInfo(encode(good)));
    refuses(t, () => parseLiveInfo(encode({ ...good, ...change })));
  });
}

test("checkedGeometry() takes the bounds themselves, and an empty file", (t) => {
  t.is(checkedGeometry(0, 16 * KIB).pieceCount, 0);
  t.is(checkedGeometry(MAX_PIECE_COUNT * 16 * KIB, 16 * KIB).pieceCount, MAX_PIECE_COUNT);
  t.is(checkedGeometry(1, 16 * KIB * KIB).pieceCount, 1);
});
