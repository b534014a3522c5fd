/**
 * The live info dict: the provisional identity on which a swarm starts before any piece hash is known
 * (docs/live-torrents.md). Decides.
 */
import { hash } from "node:crypto";
import { SkimmerError } from "../system/errors.ts";
import { decodeDict, dictBytes, dictDict, dictInt, dictString, encode } from "./bencode.ts";
import { BLOCK_BYTES, type Geometry, geometryOf, MAX_PIECE_BYTES, MAX_PIECE_COUNT } from "./geometry.ts";
import type { InfoHash } from "./ids.ts";
import { safeName } from "./safe-name.ts";

export interface LiveInfo {
  readonly name: string;
  readonly lengthBytes: number;
  readonly pieceLengthBytes: number;
  /** Ed25519 public key of the seeder cluster, 32 bytes. */
  readonly key: Buffer;
  /** Task id, 32 bytes. */
  readonly task: Buffer;
}

/** Bencodes the live info dict. */
export function encodeLiveInfo(info: LiveInfo): Buffer {
  return encode({
    length: info.lengthBytes,
    live: { key: info.key, task: info.task },
    "meta version": 2,
    name: info.name,
    "piece length": info.pieceLengthBytes,
  });
}

/** Reads and checks one. Throws SkimmerError `protocol`. */
export function parseLiveInfo(bytes: Uint8Array): LiveInfo & { readonly geometry: Geometry } {
  const dict = decodeDict(bytes);
  const live = dictDict(dict, "live");
  const key = live && dictBytes(live, "key");
  const task = live && dictBytes(live, "task");
  const name = dictString(dict, "name");
  if (key?.length !== 32 || task?.length !== 32 || name === undefined || dictInt(dict, "meta version") !== 2) {
    throw new SkimmerError("protocol", "live info dict lacks its key, task, name or version");
  }
  if (safeName(name) !== name) throw new SkimmerError("protocol", "live info dict has an unsafe name");
  const geometry = checkedGeometry(dictInt(dict, "length"), dictInt(dict, "piece length"));
  return {
    name,
    lengthBytes: geometry.lengthBytes,
    pieceLengthBytes: geometry.pieceLengthBytes,
    key: Buffer.from(key),
    task: Buffer.from(task),
    geometry,
  };
}

/** The geometry that a stranger claims, within bounds. Throws SkimmerError `protocol`. */
export function checkedGeometry(lengthBytes: number | undefined, pieceLengthBytes: number | undefined): Geometry {
  if (lengthBytes === undefined || lengthBytes < 0 || !Number.isSafeInteger(lengthBytes)) {
    throw new SkimmerError("protocol", `torrent has the impossible length ${lengthBytes}`);
  }
  const sane = pieceLengthBytes !== undefined && pieceLengthBytes >= BLOCK_BYTES && pieceLengthBytes <= MAX_PIECE_BYTES;
  if (!sane || (pieceLengthBytes & (pieceLengthBytes - 1)) !== 0) {
    throw new SkimmerError("protocol", `torrent has the impossible piece length ${pieceLengthBytes}`);
  }
  const geometry = geometryOf({ lengthBytes, pieceLengthBytes });
  if (geometry.pieceCount > MAX_PIECE_COUNT)
    throw new SkimmerError("protocol", `torrent has ${geometry.pieceCount} pieces, above the limit of ${MAX_PIECE_COUNT}`);
  return geometry;
}

/** SHA-256 of the bencoded dict, cut to 20 bytes (the BEP 52 rule). */
export function liveInfoHash(info: Uint8Array): InfoHash {
  return hash("sha256", info, "hex").slice(0, 40) as InfoHash;
}
