/**
 * Torrents of somebody else's for tests of how their peers are found: made-up content, with trackers, web seeds and all.
 */
import { hash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encode } from "../../torrents/bencode.ts";
import { makeInfoV1 } from "../../torrents/final-torrents.ts";
import { geometryOf } from "../../torrents/geometry.ts";
import { seededBytes } from "./scripted-origin.ts";

const PIECE_BYTES = 256 * 1024;

export interface AddedTorrent {
  readonly path: string;
  readonly infoHash: string;
  readonly content: Buffer;
  readonly sha256: string;
}

export interface AddedOptions {
  readonly folder: string;
  /** Name of the .torrent; the torrent's own does not depend on it. */
  readonly file?: string;
  readonly name?: string;
  readonly seed: number;
  readonly lengthBytes: number;
  readonly tiers?: readonly (readonly string[])[];
  readonly webSeeds?: readonly string[];
  readonly private?: boolean;
}

/** A v1 .torrent of one file. */
export async function addedTorrent(options: AddedOptions): Promise<AddedTorrent> {
  const { folder, seed, lengthBytes, name = "content.bin" } = options;
  const content = seededBytes(seed, lengthBytes);
  const geometry = geometryOf({ lengthBytes, pieceLengthBytes: PIECE_BYTES });
  const sha1s = sha1sOf(content);
  const plain = makeInfoV1({ name, geometry, sha1s });
  const info = options.private ? encode({ length: lengthBytes, name, "piece length": PIECE_BYTES, pieces: sha1s, private: 1 }) : plain;
  const path = join(folder, `${options.file ?? name}.torrent`);
  await writeFile(path, torrentBytes(info, options));
  return { path, infoHash: hash("sha1", info, "hex"), content, sha256: hash("sha256", content, "hex") };
}

/** A v1 .torrent of several files, in the folder `name`. */
export async function addedFolder(
  options: AddedOptions & { files: readonly { readonly path: readonly string[]; readonly lengthBytes: number }[] },
): Promise<AddedTorrent & { readonly files: readonly { readonly path: readonly string[]; readonly content: Buffer }[] }> {
  const { folder, seed, name = "folder" } = options;
  const content = seededBytes(
    seed,
    options.files.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
  );
  let at = 0;
  const files = options.files.map(({ path, lengthBytes }) => {
    at += lengthBytes;
    return { path, content: content.subarray(at - lengthBytes, at) };
  });
  const list = options.files.map(({ path, lengthBytes }) => ({ length: lengthBytes, path: [...path] }));
  const info = encode({ files: list, name, "piece length": PIECE_BYTES, pieces: sha1sOf(content) });
  const path = join(folder, `${options.file ?? name}.torrent`);
  await writeFile(path, torrentBytes(info, options));
  return { path, infoHash: hash("sha1", info, "hex"), content, sha256: hash("sha256", content, "hex"), files };
}

function sha1sOf(content: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < content.length; at += PIECE_BYTES) pieces.push(hash("sha1", content.subarray(at, at + PIECE_BYTES), "buffer"));
  return Buffer.concat(pieces);
}

function torrentBytes(info: Buffer, { tiers, webSeeds }: AddedOptions): Buffer {
  const before = encode({ "announce-list": tiers?.map((tier) => [...tier]) }).subarray(0, -1);
  const after = encode({ "url-list": webSeeds === undefined ? undefined : [...webSeeds] }).subarray(1);
  return Buffer.concat([before, encode("info"), info, after]);
}
