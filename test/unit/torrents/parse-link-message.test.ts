/** Messages between seeder and supernode, both directions. */
import test from "ava";
import fc from "fast-check";
import { generateClusterKey, publicKeyBytes } from "../../../torrents/cluster-key.ts";
import { encodeLiveInfo, liveInfoHash } from "../../../torrents/live-info.ts";
import { parseSeederMessage, parseSupernodeMessage } from "../../../torrents/parse-link-message.ts";
import { refuses } from "./refuses.ts";

const liveInfo = encodeLiveInfo({
  name: "f.bin",
  lengthBytes: 600_001,
  pieceLengthBytes: 262_144,
  key: publicKeyBytes(generateClusterKey()),
  task: Buffer.alloc(32),
});
const task = {
  id: "00".repeat(32),
  url: "http://h/f.bin",
  name: "f.bin",
  state: "live",
  lengthBytes: 600_001,
  pieceLengthBytes: 262_144,
  piecesReady: 3,
  infoHash: liveInfoHash(liveInfo),
  liveInfo: liveInfo.toString("base64"),
  validators: { etag: '"1"' },
  private: true,
  webSeed: "http://h/f.bin",
};
const hello = {
  kind: "hello",
  key: "a2V5",
  signature: "c2ln",
  peerId: "ab".repeat(20),
  port: 8001,
  host: "h",
  version: "0.1",
  webrtc: true,
};
const fromSeeder: readonly object[] = [
  hello,
  { kind: "reply", id: 7, task },
  { kind: "reply", id: 7, error: { code: "origin_not_found", message: "gone", hint: "look", status: 404 } },
  { kind: "task", task },
  { kind: "gone", task: task.id, reason: "deleted" },
  {
    kind: "status",
    status: { whole: true, uptimeSeconds: 5, disk: { quotaBytes: 9, usedBytes: 1, availableBytes: 8, tasks: 2 }, tasks: [] },
  },
];
const fromSupernode: readonly object[] = [
  { kind: "challenge", nonce: "bm9uY2U=" },
  { kind: "welcome", seederId: "ab" },
  { kind: "resolve", id: 1, request: { url: "http://h/f", headers: { a: "b" } } },
  { kind: "delete", id: 2, task: task.id },
  { kind: "browsers", id: 3, task: task.id },
];
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("each message comes back as it was sent", (t) => {
  for (const message of fromSeeder) t.deepEqual(plain(parseSeederMessage(JSON.stringify(message))), message);
  for (const message of fromSupernode) t.deepEqual(plain(parseSupernodeMessage(JSON.stringify(message))), message);
});

test("what is said beside the live info dict is not believed", (t) => {
  const said = { ...task, name: "../x", lengthBytes: 1, infoHash: "00".repeat(20) };
  t.deepEqual(plain(parseSeederMessage(JSON.stringify({ kind: "task", task: said }))), { kind: "task", task });
});

for (const [what, message] of Object.entries({
  "an empty message": "",
  "no JSON": "nonsense",
  "JSON null": "null",
  "a list": "[]",
  "no kind": "{}",
  "a supernode's kind": '{"kind":"welcome","seederId":"a"}',
  "a hello on port 0": JSON.stringify({ ...hello, port: 0 }),
  "a hello with a long key": JSON.stringify({ ...hello, key: "a".repeat(65) }),
  "a reply to a negative id": JSON.stringify({ kind: "reply", id: -1 }),
  "a reply to half an id": JSON.stringify({ kind: "reply", id: 0.5 }),
  "a task id that is none": JSON.stringify({ kind: "gone", task: "x" }),
  "more pieces ready than there are": JSON.stringify({ kind: "task", task: { ...task, piecesReady: 4 } }),
  "live info that is none": JSON.stringify({ kind: "task", task: { ...task, liveInfo: "AAAA" } }),
  "an unknown state": JSON.stringify({ kind: "task", task: { ...task, state: "gone" } }),
})) {
  test(`parseSeederMessage() refuses ${what}`, (t) => refuses(t, () => parseSeederMessage(message)));
}

test("parseSupernodeMessage() refuses what a supernode does not say", (t) => {
  refuses(t, () => parseSupernodeMessage(JSON.stringify(hello)));
  refuses(t, () => parseSupernodeMessage(JSON.stringify({ kind: "delete", id: 1, task: "../x" })));
  refuses(t, () => parseSupernodeMessage(JSON.stringify({ kind: "resolve", id: 1, request: { url: "x" } })), "bad_request");
});

const LIMITS = { originBytesPerSecond: 1, originHostBytesPerSecond: 0, originConnectionsPerHost: 2, uploadBytesPerSecond: 3 };
const CACHE = {
  quotaBytes: 9,
  usedBytes: 5,
  availableBytes: 7,
  tasks: [{ id: "ab".repeat(32), bytes: 5, pinned: true, active: false, lastUsedMs: 1 }],
};
const GC = { removed: 1, freedBytes: 2, leftovers: 3, usedBytes: 4 };

test("requests about cache and limits, and their replies, survive the way", (t) => {
  const same = (parse: (text: string) => unknown, message: object): void => {
    t.deepEqual(JSON.parse(JSON.stringify(parse(JSON.stringify(message)))), message);
  };
  same(parseSupernodeMessage, { kind: "pin", id: 1, task: "ab".repeat(32), pinned: true });
  same(parseSupernodeMessage, { kind: "cache", id: 2 });
  same(parseSupernodeMessage, { kind: "gc", id: 3 });
  same(parseSupernodeMessage, { kind: "gc", id: 3, to: { bytes: 5 } });
  same(parseSupernodeMessage, { kind: "gc", id: 3, to: { share: 0.5 } });
  same(parseSupernodeMessage, { kind: "limits", id: 4, set: { uploadBytesPerSecond: 0 } });
  same(parseSeederMessage, { kind: "reply", id: 5, cache: CACHE });
  same(parseSeederMessage, { kind: "reply", id: 5, gc: GC });
  same(parseSeederMessage, { kind: "reply", id: 5, limits: LIMITS });
  same(parseSeederMessage, { kind: "gone", task: "ab".repeat(32), reason: "evicted" });
});

test("replies and requests about cache and limits are checked", (t) => {
  const reply = (result: object): string => JSON.stringify({ kind: "reply", id: 1, ...result });
  refuses(t, () => parseSeederMessage(reply({ cache: { ...CACHE, usedBytes: -1 } })));
  refuses(t, () => parseSeederMessage(reply({ cache: { ...CACHE, tasks: [{ ...CACHE.tasks[0], lastUsedMs: 1e300 }] } })));
  refuses(t, () => parseSeederMessage(reply({ gc: { ...GC, removed: "1" } })));
  refuses(t, () => parseSeederMessage(reply({ limits: { uploadBytesPerSecond: 1 } })));
  const ask = (message: object): string => JSON.stringify({ id: 1, ...message });
  refuses(t, () => parseSupernodeMessage(ask({ kind: "gc", to: { share: 1.5 } })), "bad_request");
  refuses(t, () => parseSupernodeMessage(ask({ kind: "gc", to: { bytes: "1" } })), "bad_request");
  refuses(t, () => parseSupernodeMessage(ask({ kind: "limits", set: { originConnectionsPerHost: 0 } })), "bad_request");
  refuses(t, () => parseSupernodeMessage(ask({ kind: "limits", set: { __proto__: 1, constructor: 1 } })), "bad_request");
  refuses(t, () => parseSupernodeMessage(ask({ kind: "pin", task: "x", pinned: true })));
});

test("any JSON gives a message or a SkimmerError", (t) => {
  const near = fc.record({
    kind: fc.constantFrom("hello", "reply", "task", "resolve"),
    id: fc.jsonValue(),
    task: fc.jsonValue(),
    request: fc.jsonValue(),
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        near.map((value) => JSON.stringify(value)),
        fc.string(),
      ),
      (text) => {
        for (const parse of [parseSeederMessage, parseSupernodeMessage]) {
          try {
            parse(text);
            t.pass();
          } catch (error) {
            t.is((error as Error).name, "SkimmerError", String(error));
          }
        }
      },
    ),
    { numRuns: 200 },
  );
});
