/**
 * BEP 9 on the giving side: info dicts in 16 KiB pieces to whoever asks, no more often than somebody who wants them needs. Drives
 * nothing: bytes in, bytes out; time is an argument.
 */
import { SkimmerError } from "../../system/errors.ts";
import { decodeDict, dictInt, encode } from "../../torrents/bencode.ts";
import { EventBudget } from "./event-budget.ts";

const PIECE_BYTES = 16384;
const REQUEST = 0;
const DATA = 1;
const REJECT = 2;
const MOST_MESSAGE_BYTES = 1024;
/** Requests beyond twice the dict's pieces. */
const SPARE_REQUESTS = 16;
const REQUESTS_PER_SECOND = 2;
/** Requests on top of that, which are not looked at. */
const MOST_IGNORED = 500;

/** Answers the peers of one torrent. */
export class MetadataDesk<Peer extends object> {
  readonly #asked = new WeakMap<Peer, { readonly budget: EventBudget; ignored: number }>();

  /** The answer to a ut_metadata message, or undefined where none is due. Throws SkimmerError `protocol`. */
  answer(peer: Peer, message: { payload: Buffer; info: Buffer | undefined }, nowMs: number): Buffer | undefined {
    const { payload, info } = message;
    const asked = this.#asked.get(peer) ?? { budget: new EventBudget(rateFor(info), nowMs), ignored: 0 };
    this.#asked.set(peer, asked);
    if (asked.budget.take(nowMs)) return answerMetadata(payload, info);
    if (++asked.ignored > MOST_IGNORED) throw new SkimmerError("protocol", "peer keeps asking for metadata that it got");
    return undefined;
  }
}

function rateFor(info: Buffer | undefined) {
  return { perSecond: REQUESTS_PER_SECOND, burst: 2 * Math.ceil((info?.length ?? 0) / PIECE_BYTES) + SPARE_REQUESTS };
}

function answerMetadata(payload: Buffer, info: Buffer | undefined): Buffer | undefined {
  if (payload.length > MOST_MESSAGE_BYTES) return undefined;
  const dict = decodeDict(payload);
  const piece = dictInt(dict, "piece") ?? -1;
  if (dictInt(dict, "msg_type") !== REQUEST) return undefined;
  if (info === undefined || piece < 0 || piece * PIECE_BYTES >= info.length) return encode({ msg_type: REJECT, piece: Math.max(0, piece) });
  const head = encode({ msg_type: DATA, piece, total_size: info.length });
  return Buffer.concat([head, info.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES)]);
}
