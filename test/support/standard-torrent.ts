/**
 * Final torrents of a content, as files and as the engine takes them: for tests with standard clients and without a supernode.
 */
import { hash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Engine, Torrent } from "../../peer/engine/types.ts";
import { makeInfoV1, makeInfoV2 } from "../../torrents/final-torrents.ts";
import { type Geometry, geometryOf, pieceLengthAt, pieceOffset } from "../../torrents/geometry.ts";
import { leavesPerPiece, pieceRoot, piecesRoot } from "../../torrents/merkle.ts";
import { torrentFile } from "../../torrents/torrent-file.ts";
import { seededBytes } from "./scripted-origin.ts";

const NAME = "shared.bin";

export interface StandardTorrent {
  readonly name: string;
  readonly content: Buffer;
  readonly sha256: string;
  readonly geometry: Geometry;
  readonly infoV1: Buffer;
  readonly infoV2: Buffer;
  readonly layer: { readonly piecesRoot: Buffer; readonly hashes: Buffer };
}

/** Made up content and its twins. */
export function standardTorrent(input: { seed: number; lengthBytes: number; pieceLengthBytes: number }): StandardTorrent {
  const content = seededBytes(input.seed, input.lengthBytes);
  const geometry = geometryOf(input);
  const pieces = Array.from({ length: geometry.pieceCount }, (_, index) => {
    const start = pieceOffset(geometry, index);
    return content.subarray(start, start + pieceLengthAt(geometry, index));
  });
  const hashes = Buffer.concat(pieces.map((piece) => pieceRoot(piece, leavesPerPiece(geometry))));
  const root = piecesRoot(hashes, geometry);
  const sha1s = Buffer.concat(pieces.map((piece) => hash("sha1", piece, "buffer")));
  return {
    name: NAME,
    content,
    sha256: hash("sha256", content, "hex"),
    geometry,
    infoV1: makeInfoV1({ name: NAME, geometry, sha1s }),
    infoV2: makeInfoV2({ name: NAME, geometry, piecesRoot: root }),
    layer: { piecesRoot: root, hashes },
  };
}

/** Writes the .torrent of one version; answers its path. */
export async function writeTorrent(
  torrent: StandardTorrent,
  to: { folder: string; version: 1 | 2; trackers?: readonly string[] },
): Promise<string> {
  const path = join(to.folder, `v${to.version}.torrent`);
  const [info, layers] = to.version === 1 ? [torrent.infoV1, undefined] : [torrent.infoV2, [torrent.layer]];
  await mkdir(to.folder, { recursive: true });
  await writeFile(path, torrentFile({ info, layers, trackers: to.trackers ?? [] }));
  return path;
}

/** Opens one version in the engine, empty. `withLayer` false: as from a magnet link. */
export function addStandard(
  engine: Engine,
  torrent: StandardTorrent,
  at: { folder: string; version: 1 | 2; withLayer?: boolean },
): Promise<Torrent> {
  const { name, geometry, infoV1, infoV2, layer } = torrent;
  const pieceLayer = at.withLayer === false ? undefined : layer.hashes;
  const infos = at.version === 1 ? { infoV1 } : { infoV2, pieceLayer };
  return engine.add({ directory: join(at.folder, engine.peerId), name, geometry, ...infos });
}
