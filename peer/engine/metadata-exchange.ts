/**
 * BEP 9 on the giving side: info dicts in 16 KiB pieces to whoever asks. Decides: bytes in, bytes out.
 */
import { decodeDict, dictInt, encode } from "../../torrents/bencode.ts";

const PIECE_BYTES = 16384;
const REQUEST = 0;
const DATA = 1;
const REJECT = 2;

/** The answer to a ut_metadata message, or undefined where none is due. Throws SkimmerError `protocol`. */
export function answerMetadata(payload: Buffer, info: Buffer | undefined): Buffer | undefined {
  if (payload.length > 1024) return undefined;
  const dict = decodeDict(payload);
  const piece = dictInt(dict, "piece") ?? -1;
  if (dictInt(dict, "msg_type") !== REQUEST) return undefined;
  if (info === undefined || piece < 0 || piece * PIECE_BYTES >= info.length) return encode({ msg_type: REJECT, piece: Math.max(0, piece) });
  const head = encode({ msg_type: DATA, piece, total_size: info.length });
  return Buffer.concat([head, info.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES)]);
}
