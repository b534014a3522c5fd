/**
 * .torrent files and magnet links of final torrents. Decides.
 */

import { hash } from "node:crypto";
import { encode } from "./bencode.ts";
import { infoHashV1 } from "./final-torrents.ts";

/** A v2 file's hashes, 32 bytes a piece. */
export interface PieceLayer {
  readonly piecesRoot: Buffer;
  readonly hashes: Buffer;
}

/** A .torrent file around unchanged info bytes. v2 carries the piece layers of files of more than one piece. */
export function torrentFile(input: {
  info: Buffer;
  trackers: readonly string[];
  layers?: readonly PieceLayer[];
  /** BEP 19. */
  webSeeds?: readonly string[];
}): Buffer {
  const parts: Buffer[] = [Buffer.from("d")];
  const put = (key: string, value: Buffer): void => void parts.push(encode(key), value);
  if (input.trackers.length > 0) {
    put("announce", encode(input.trackers[0]));
    put("announce-list", encode(input.trackers.map((tracker) => [tracker])));
  }
  put("created by", encode("Skimmer"));
  put("info", input.info);
  const layers = new Map((input.layers ?? []).map(({ piecesRoot, hashes }) => [piecesRoot.toString("latin1"), hashes]));
  if (layers.size > 0) put("piece layers", encode(layers));
  if (input.webSeeds !== undefined && input.webSeeds.length > 0) put("url-list", encode(input.webSeeds));
  parts.push(Buffer.from("e"));
  return Buffer.concat(parts);
}

/** A magnet link for whichever of the twins is given (BEP 9; BEP 52: btmh with the multihash prefix of SHA-256). */
export function magnetLink(input: {
  name: string;
  infoV1?: Buffer;
  infoV2?: Buffer;
  trackers: readonly string[];
  webSeeds?: readonly string[];
}): string {
  const parts: string[] = [];
  if (input.infoV1 !== undefined) parts.push(`xt=urn:btih:${infoHashV1(input.infoV1)}`);
  if (input.infoV2 !== undefined) parts.push(`xt=urn:btmh:1220${hash("sha256", input.infoV2, "hex")}`);
  parts.push(`dn=${encodeURIComponent(input.name)}`);
  for (const tracker of input.trackers) parts.push(`tr=${encodeURIComponent(tracker)}`);
  for (const url of input.webSeeds ?? []) parts.push(`ws=${encodeURIComponent(url)}`);
  return `magnet:?${parts.join("&")}`;
}
