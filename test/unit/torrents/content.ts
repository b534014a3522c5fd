/** Content that another program makes with one line: SHA-256 of "0", of "1", of "2" …, one after the other, cut to the length. */
import { hash } from "node:crypto";
import { type Geometry, geometryOf, pieceLengthAt, pieceOffset } from "../../../torrents/geometry.ts";
import { leavesPerPiece, pieceRoot } from "../../../torrents/merkle.ts";

export function countedContent(lengthBytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < lengthBytes; at += 32) parts.push(hash("sha256", String(at / 32), "buffer"));
  return Buffer.concat(parts).subarray(0, lengthBytes);
}

/** Everything that is hashed of the content. */
export function hashesOf(content: Buffer, pieceLengthBytes: number): { geometry: Geometry; sha1s: Buffer; layer: Buffer } {
  const geometry = geometryOf({ lengthBytes: content.length, pieceLengthBytes });
  const pieces = Array.from({ length: geometry.pieceCount }, (_, index) => {
    const offset = pieceOffset(geometry, index);
    return content.subarray(offset, offset + pieceLengthAt(geometry, index));
  });
  return {
    geometry,
    sha1s: Buffer.concat(pieces.map((piece) => hash("sha1", piece, "buffer"))),
    layer: Buffer.concat(pieces.map((piece) => pieceRoot(piece, leavesPerPiece(geometry)))),
  };
}
