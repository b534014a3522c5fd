/** The test vectors of docs/live-torrents.md are what the code makes, and stand in the page. */
import { createPrivateKey, hash } from "node:crypto";
import { readFileSync } from "node:fs";
import test from "ava";
import { publicKeyBytes } from "../../../torrents/cluster-key.ts";
import { infoHashV1, infoHashV2, makeInfoV1, makeInfoV2, signFinal } from "../../../torrents/final-torrents.ts";
import { encodeLiveInfo, liveInfoHash } from "../../../torrents/live-info.ts";
import { encodeFinal, encodeRecords, encodeWant } from "../../../torrents/live-messages.ts";
import { piecesRoot } from "../../../torrents/merkle.ts";
import { signGroup } from "../../../torrents/piece-records.ts";
import { countedContent, hashesOf } from "./content.ts";

/** DER in front of a raw Ed25519 private key (RFC 8410). */
const PKCS8_PREFIX = "302e020100300506032b657004220420";

function makeVectors(): Record<string, string> {
  const seed = Buffer.from(Array.from({ length: 32 }, (_, at) => at));
  const privateKey = createPrivateKey({ key: Buffer.concat([Buffer.from(PKCS8_PREFIX, "hex"), seed]), format: "der", type: "pkcs8" });
  const name = "vector.bin";
  const { geometry, sha1s, layer } = hashesOf(countedContent(40_000), 16_384);
  const liveInfo = encodeLiveInfo({ ...geometry, name, key: publicKeyBytes(privateKey), task: Buffer.alloc(32, 0x11) });
  const infoHash = liveInfoHash(liveInfo);
  const rootOf = (index: number): Buffer => layer.subarray(index * 32, (index + 1) * 32);
  const records = [1, 0].map((index) => ({ index, root: rootOf(index) }));
  const infoV1 = makeInfoV1({ name, geometry, sha1s });
  const infoV2 = makeInfoV2({ name, geometry, piecesRoot: piecesRoot(layer, geometry) });
  const signature = signFinal({ infoHash, infoV1, infoV2, privateKey });
  return {
    "public key": publicKeyBytes(privateKey).toString("hex"),
    "live info dict": liveInfo.toString("hex"),
    "live info hash": infoHash,
    "root of piece 0": rootOf(0).toString("hex"),
    "root of piece 1": rootOf(1).toString("hex"),
    "root of piece 2": rootOf(2).toString("hex"),
    want: encodeWant({ first: 0, count: 3 }).toString("hex"),
    records: encodeRecords([signGroup({ infoHash, records, privateKey })]).toString("hex"),
    "pieces root": piecesRoot(layer, geometry).toString("hex"),
    "v1 info hash": infoHashV1(infoV1),
    "v2 info hash": infoHashV2(infoV2),
    "final signature": signature.toString("hex"),
    "SHA-256 of final": hash("sha256", encodeFinal({ infoV1, infoV2, signature })),
  };
}

const page = readFileSync(new URL("../../../docs/live-torrents.md", import.meta.url), "utf8");
// the page breaks long values over lines
const vectorText = page.slice(page.indexOf("## Test vectors")).replace(/\s+/g, "");
for (const [name, value] of Object.entries(makeVectors())) {
  test(`docs/live-torrents.md has the ${name} that the code makes`, (t) => {
    t.true(vectorText.includes(`${name}=${value}`.replaceAll(" ", "")), `${name} = ${value}`);
  });
}
