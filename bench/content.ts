/**
 * Random content with its v1 torrent, for benchmarks between two peers.
 */
import { createHash, randomBytes } from "node:crypto";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeInfoV1 } from "../torrents/final-torrents.ts";
import { geometryOf } from "../torrents/geometry.ts";
import { torrentFile } from "../torrents/torrent-file.ts";
import type { Content } from "./contenders/contender.ts";

const PIECE_BYTES = 1024 * 1024;
const NAME = "content.bin";

/** Writes FOLDER/content.bin and its .torrent; `lengthBytes` is a multiple of 1 MiB. */
export async function makeContent(folder: string, lengthBytes: number): Promise<Content> {
  const sha1s: Buffer[] = [];
  const whole = createHash("sha256");
  await using file = await open(join(folder, NAME), "w");
  for (let written = 0; written < lengthBytes; written += PIECE_BYTES) {
    const piece = randomBytes(PIECE_BYTES);
    sha1s.push(createHash("sha1").update(piece).digest());
    whole.update(piece);
    await file.write(piece);
  }
  const geometry = geometryOf({ lengthBytes, pieceLengthBytes: PIECE_BYTES });
  const info = makeInfoV1({ name: NAME, geometry, sha1s: Buffer.concat(sha1s) });
  const torrentPath = join(folder, "content.torrent");
  await writeFile(torrentPath, torrentFile({ info, trackers: [] }));
  return { folder, name: NAME, torrentPath, lengthBytes, sha256: whole.digest("hex") };
}
