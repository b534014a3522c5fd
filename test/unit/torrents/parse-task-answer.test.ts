/** A supernode's answer: a lying or confused one must not harm a daemon. */
import test from "ava";
import fc from "fast-check";
import { generateClusterKey, publicKeyBytes } from "../../../torrents/cluster-key.ts";
import { infoHashV1, infoHashV2, makeInfoV1, makeInfoV2, signFinal } from "../../../torrents/final-torrents.ts";
import { encodeLiveInfo, liveInfoHash } from "../../../torrents/live-info.ts";
import { piecesRoot } from "../../../torrents/merkle.ts";
import { parseTaskAnswer } from "../../../torrents/parse-task-answer.ts";
import type { TaskAnswer } from "../../../torrents/task-api.ts";
import { countedContent, hashesOf } from "./content.ts";
import { refuses } from "./refuses.ts";

const PIECE_BYTES = 256 * 1024;
const privateKey = generateClusterKey();
const answer = answerFor(600_001);

function answerFor(lengthBytes: number): TaskAnswer {
  const { geometry, sha1s, layer } = hashesOf(countedContent(lengthBytes), PIECE_BYTES);
  const liveInfo = encodeLiveInfo({ ...geometry, name: "f.bin", key: publicKeyBytes(privateKey), task: Buffer.alloc(32, 7) });
  const infoHash = liveInfoHash(liveInfo);
  const infoV1 = makeInfoV1({ name: "f.bin", geometry, sha1s });
  const infoV2 = makeInfoV2({ name: "f.bin", geometry, piecesRoot: piecesRoot(layer, geometry) });
  const signature = signFinal({ infoHash, infoV1, infoV2, privateKey });
  return {
    id: "07".repeat(32) as never,
    state: "final",
    name: "f.bin",
    lengthBytes,
    pieceLengthBytes: PIECE_BYTES,
    infoHash,
    liveInfo: liveInfo.toString("base64"),
    infoHashV1: infoHashV1(infoV1),
    infoHashV2: infoHashV2(infoV2),
    final: {
      infoV1: infoV1.toString("base64"),
      infoV2: infoV2.toString("base64"),
      pieceLayer: layer.toString("base64"),
      signature: signature.toString("base64"),
    },
    inline: undefined,
    peers: [
      { host: "127.0.0.1", port: 8001, seeder: true },
      { host: "fe80::1%eth0", port: 65002, seeder: false },
      { host: "node-7.example.com", port: 1, seeder: false },
    ],
    trackers: ["http://127.0.0.1:8002/announce"],
    validators: { etag: '"x"', lastModified: undefined },
    unvalidated: false,
  };
}

test("parseTaskAnswer() takes a good answer, final and live", (t) => {
  t.deepEqual(parseTaskAnswer(JSON.parse(JSON.stringify(answer))), answer);
  const live = { ...answer, state: "live", final: undefined, infoHashV1: undefined, infoHashV2: undefined } as const;
  t.deepEqual(parseTaskAnswer(JSON.parse(JSON.stringify(live))), live);
});

test("parseTaskAnswer() believes the live info dict, not what is said beside it", (t) => {
  const said = { ...answer, name: "../../x", lengthBytes: 5, pieceLengthBytes: 7, infoHashV1: "nonsense" };
  t.deepEqual(parseTaskAnswer(said), answer);
});

const { final } = answer as { final: NonNullable<TaskAnswer["final"]> };
const other = answerFor(600_002).final as NonNullable<TaskAnswer["final"]>;
for (const [what, change] of Object.entries({
  "an info hash of something else": { infoHash: "00".repeat(20) },
  "no live info": { liveInfo: undefined },
  "live info that is no dict": { liveInfo: Buffer.from("i1e").toString("base64") },
  "live info that is too long": { liveInfo: "A".repeat(8193) },
  "an id that is none": { id: "../x" },
  "an unknown state": { state: "done" },
  "final torrents of another file": { final: other },
  "one final torrent of another file": { final: { ...final, infoV1: other.infoV1 } },
  "a final signature of something else": { final: { ...final, signature: other.signature } },
  "final torrents that are no dicts": { final: { ...final, infoV2: "AAAA" } },
  "final torrents without a layer": { final: { ...final, pieceLayer: undefined } },
  "peers that are no list": { peers: {} },
  "too many peers": { peers: Array(201).fill(answer.peers[0]) },
  "a peer on port 0": { peers: [{ host: "127.0.0.1", port: 0 }] },
  "a peer on port 65536": { peers: [{ host: "127.0.0.1", port: 65536 }] },
  "a peer on a text port": { peers: [{ host: "127.0.0.1", port: "80" }] },
  "a peer without a host": { peers: [{ host: "", port: 80 }] },
  "a peer whose host is a path": { peers: [{ host: "/run/x.sock", port: 80 }] },
  "a peer whose host has a line end": { peers: [{ host: "a\nb", port: 80 }] },
  "too many trackers": { trackers: Array(21).fill("http://h/") },
  "trackers that are no texts": { trackers: [5] },
  "inline content that is too long": { inline: "A".repeat(262_145) },
  "validators that are a text": { validators: "x" },
})) {
  test(`parseTaskAnswer() refuses ${what}`, (t) => refuses(t, () => parseTaskAnswer({ ...answer, ...change })));
}

test("parseTaskAnswer() of any JSON gives a protocol error", (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(answer)), (value, key) => {
      refuses(t, () => parseTaskAnswer(value));
      try {
        parseTaskAnswer({ ...answer, [key]: value });
      } catch (error) {
        t.is((error as { code?: string }).code, "protocol", `${key}: ${String(error)}`);
      }
    }),
    { numRuns: 200 },
  );
});
