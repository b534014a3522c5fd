/**
 * The final torrents of a complete file: a v1 info dict and its v2 twin, pure functions of content, name and piece
 * length, so that every supernode makes the same ones; private content has a secret in them besides, so that who can
 * guess the content still cannot name its swarm. Decides.
 *
 * Twins, not one hybrid: aria2 1.36 computes a wrong info hash for hybrids.
 */
import { hash, type KeyObject, sign, verify } from "node:crypto";
import { SkimmerError } from "../system/errors.ts";
import { decodeDict, dictBytes, dictDict, dictInt, dictString, encode } from "./bencode.ts";
import type { Geometry } from "./geometry.ts";
import type { InfoHash } from "./ids.ts";
import { checkedGeometry } from "./live-info.ts";
import { safeName } from "./safe-name.ts";

const CONTEXT = Buffer.from("skimmer final torrents 1\n");
const SHA1_BYTES = 20;

/** Bencoded v1 info dict; `sha1s` holds 20 bytes a piece. */
export function makeInfoV1(input: { name: string; geometry: Geometry; sha1s: Buffer; secret?: Buffer }): Buffer {
  return encode({
    ...privacy(input.secret),
    length: input.geometry.lengthBytes,
    name: input.name,
    "piece length": input.geometry.pieceLengthBytes,
    pieces: input.sha1s,
  });
}

/** Bencoded v2 info dict (BEP 52); an empty file has no pieces root. */
export function makeInfoV2(input: { name: string; geometry: Geometry; piecesRoot?: Buffer; secret?: Buffer }): Buffer {
  const file = { length: input.geometry.lengthBytes, "pieces root": input.geometry.lengthBytes === 0 ? undefined : input.piecesRoot };
  const tree = new Map([[Buffer.from(input.name, "utf8").toString("latin1"), { "": file }]]);
  return encode({
    ...privacy(input.secret),
    "file tree": tree,
    "meta version": 2,
    name: input.name,
    "piece length": input.geometry.pieceLengthBytes,
  });
}

/** BEP 27 keeps such a torrent off the DHT; `source` is what trackers use to make an info hash their own. */
function privacy(secret: Buffer | undefined): { private?: number; source?: string } {
  return secret === undefined ? {} : { private: 1, source: secret.toString("hex") };
}

export function infoHashV1(info: Uint8Array): InfoHash {
  return hash("sha1", info, "hex") as InfoHash;
}

/** SHA-256 cut to 20 bytes, as handshakes and trackers carry it. */
export function infoHashV2(info: Uint8Array): InfoHash {
  return hash("sha256", info, "hex").slice(0, 40) as InfoHash;
}

/** Reads a single-file v1 info dict. Throws SkimmerError `protocol`. */
export function parseInfoV1(info: Uint8Array): { name: string; geometry: Geometry; sha1s: Buffer } {
  const dict = decodeDict(info);
  if (dict.has("files")) throw new SkimmerError("protocol", "torrents with several files are not supported");
  const sha1s = dictBytes(dict, "pieces");
  const geometry = checkedGeometry(dictInt(dict, "length"), dictInt(dict, "piece length"));
  if (sha1s?.length !== geometry.pieceCount * SHA1_BYTES)
    throw new SkimmerError("protocol", "v1 info dict has the wrong number of piece hashes");
  return { name: safeName(dictString(dict, "name") ?? ""), geometry, sha1s };
}

/** Reads a single-file v2 info dict. Throws SkimmerError `protocol`. */
export function parseInfoV2(info: Uint8Array): { name: string; geometry: Geometry; piecesRoot: Buffer | undefined } {
  const dict = decodeDict(info);
  const tree = dictDict(dict, "file tree");
  // one file: its entry in the tree has the torrent's name (BEP 52)
  const entry = tree && dictDict(tree, dictBytes(dict, "name")?.toString("latin1") ?? "");
  const file = entry && dictDict(entry, "");
  if (dictInt(dict, "meta version") !== 2 || file === undefined || tree?.size !== 1) {
    throw new SkimmerError("protocol", "v2 info dict is not that of a single file");
  }
  const geometry = checkedGeometry(dictInt(file, "length"), dictInt(dict, "piece length"));
  const piecesRoot = dictBytes(file, "pieces root");
  if (geometry.lengthBytes > 0 && piecesRoot?.length !== 32) throw new SkimmerError("protocol", "v2 info dict lacks its pieces root");
  return { name: safeName(dictString(dict, "name") ?? ""), geometry, piecesRoot };
}

export interface FinalSubject {
  /** Live info hash. */
  readonly infoHash: InfoHash;
  readonly infoV1: Uint8Array;
  readonly infoV2: Uint8Array;
}

/** The cluster's word that these are the final torrents of the live one. */
export function signFinal(input: FinalSubject & { privateKey: KeyObject }): Buffer {
  return sign(null, signedBytes(input), input.privateKey);
}

export function verifyFinal(input: FinalSubject & { signature: Uint8Array; publicKey: KeyObject }): boolean {
  return verify(null, signedBytes(input), input.publicKey, input.signature);
}

function signedBytes(subject: FinalSubject): Buffer {
  return Buffer.concat([
    CONTEXT,
    Buffer.from(subject.infoHash, "hex"),
    hash("sha256", subject.infoV1, "buffer"),
    hash("sha256", subject.infoV2, "buffer"),
  ]);
}
