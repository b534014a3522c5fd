/** Signed record groups and the messages that carry them. */
import { generateKeyPairSync } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { encode } from "../../../torrents/bencode.ts";
import { encodePrivateKey, generateClusterKey, parsePrivateKey, publicKeyBytes, publicKeyFrom } from "../../../torrents/cluster-key.ts";
import type { InfoHash } from "../../../torrents/ids.ts";
import { encodeFinal, encodeRecords, encodeWant, parseLiveMessage } from "../../../torrents/live-messages.ts";
import { decodeGroups, encodeGroup, MAX_GROUP_RECORDS, type PieceRecord, signGroup, verifyGroup } from "../../../torrents/piece-records.ts";
import { refuses } from "./refuses.ts";

const privateKey = generateClusterKey();
const publicKey = publicKeyFrom(publicKeyBytes(privateKey));
const infoHash = "ab".repeat(20) as InfoHash;
const records = (count: number): PieceRecord[] =>
  Array.from({ length: count }, (_, index) => ({ index, root: Buffer.alloc(32, index + 1) }));
const groupOf = (count: number) => signGroup({ infoHash, records: records(count), privateKey });

test("the cluster key survives its PEM, and its public half its 32 bytes", (t) => {
  const again = parsePrivateKey(encodePrivateKey(privateKey));
  t.deepEqual(publicKeyBytes(again), publicKeyBytes(privateKey));
  t.is(publicKeyBytes(privateKey).length, 32);
  t.deepEqual(publicKeyBytes(publicKey), publicKeyBytes(privateKey));
});

test("parsePrivateKey() refuses other keys and other text", (t) => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
  refuses(t, () => parsePrivateKey(encodePrivateKey(rsa)), "bad_request");
  t.throws(() => parsePrivateKey("no key"));
});

test("verifyGroup() takes a group as it was signed, also after the wire", (t) => {
  for (const count of [1, 2, MAX_GROUP_RECORDS]) {
    const [group] = decodeGroups(encodeGroup(groupOf(count)));
    t.deepEqual(group, groupOf(count));
    t.true(verifyGroup({ infoHash, group, publicKey }));
  }
});

test("verifyGroup() refuses a group with any byte changed", (t) => {
  const bytes = encodeGroup(groupOf(2));
  fc.assert(
    fc.property(fc.integer({ min: 2, max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(bytes);
      changed[at] ^= change;
      t.false(verifyGroup({ infoHash, group: decodeGroups(changed)[0], publicKey }));
    }),
    { numRuns: 100 },
  );
});

test("verifyGroup() refuses another torrent, key or order, and a group cut in two", (t) => {
  const group = groupOf(2);
  const [first, second] = group.records;
  const good = { infoHash, group, publicKey };
  t.true(verifyGroup(good));
  t.false(verifyGroup({ ...good, infoHash: "ac".repeat(20) as InfoHash }));
  t.false(verifyGroup({ ...good, publicKey: publicKeyFrom(publicKeyBytes(generateClusterKey())) }));
  t.false(verifyGroup({ ...good, group: { ...group, records: [second, first] } }));
  t.false(verifyGroup({ ...good, group: { ...group, records: [first] } }));
  t.false(verifyGroup({ ...good, group: { ...group, signature: Buffer.alloc(64) } }));
});

test("decodeGroups() reads several groups, and keeps no view of what it read", (t) => {
  const bytes = Buffer.concat([groupOf(1), groupOf(3)].map(encodeGroup));
  const groups = decodeGroups(bytes);
  bytes.fill(0);
  t.deepEqual(groups, [groupOf(1), groupOf(3)]);
});

test("decodeGroups() refuses empty, oversized, cut and lengthened groups", (t) => {
  const bytes = encodeGroup(groupOf(2));
  const withCount = (count: number): Buffer => {
    const changed = Buffer.alloc(2 + count * 36 + 64);
    changed.writeUInt16BE(count);
    return changed;
  };
  refuses(t, () => decodeGroups(withCount(0)));
  refuses(t, () => decodeGroups(withCount(MAX_GROUP_RECORDS + 1)));
  for (const end of [1, 2, bytes.length - 1]) refuses(t, () => decodeGroups(bytes.subarray(0, end)));
  for (const tail of [1, 2, 3]) refuses(t, () => decodeGroups(Buffer.concat([bytes, Buffer.alloc(tail, 1)])));
});

test("parseLiveMessage() gives back each message", (t) => {
  const groups = [groupOf(1), groupOf(2)];
  const final = { infoV1: Buffer.from("de"), infoV2: Buffer.from("d1:ai1ee"), signature: Buffer.alloc(64, 9) };
  t.deepEqual(parseLiveMessage(encodeWant({ first: 1, count: 2 ** 32 - 1 })), { kind: "want", first: 1, count: 2 ** 32 - 1 });
  t.deepEqual(parseLiveMessage(encodeRecords(groups)), { kind: "records", groups });
  t.deepEqual(parseLiveMessage(encodeFinal(final)), { kind: "final", ...final });
});

test("parseLiveMessage() refuses everything else", (t) => {
  const want = encodeWant({ first: 0, count: 1 });
  const short = { v1: Buffer.from("de"), v2: Buffer.from("de"), signature: Buffer.alloc(63) };
  const bad = [
    Buffer.alloc(0),
    Buffer.from([3]),
    Buffer.from([255, 1, 2]),
    want.subarray(0, 8),
    Buffer.concat([want, Buffer.alloc(1)]),
    Buffer.from([2]),
    Buffer.from([2, ...Buffer.from("i1e")]),
    Buffer.concat([Buffer.from([2]), encode(short)]),
    Buffer.concat([Buffer.from([2]), encode({ ...short, v1: undefined, signature: Buffer.alloc(64) })]),
    Buffer.concat([Buffer.from([2]), encode({ ...short, v2: 5, signature: Buffer.alloc(64) })]),
  ];
  for (const payload of bad) refuses(t, () => parseLiveMessage(payload));
});

test("parseLiveMessage() of any bytes gives a message or a protocol error", (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3 }), fc.uint8Array({ maxLength: 300 }), (type, body) => {
      try {
        parseLiveMessage(Buffer.from([type, ...body]));
        t.pass();
      } catch (error) {
        t.is((error as { code?: string }).code, "protocol", String(error));
      }
    }),
    { numRuns: 300 },
  );
});
