/**
 * A UDP socket for code that trusts what it is sent. Drives: passes on only small, well-formed bencoded dictionaries, few enough a second,
 * and takes what the handler throws for the sender's fault.
 */
import dgram from "node:dgram";
import { type BencodeDict, decodeDict, dictBytes, dictDict } from "../../torrents/bencode.ts";

const MOST_BYTES = 4096;
const MOST_A_SECOND = 1000;
const LIMITS = { maxDepth: 6, maxItems: 600 };
const ID_BYTES = 20;
/** Fields that are ids wherever a DHT message has them. */
const IDS = ["id", "info_hash", "target"];

export interface GuardOptions {
  readonly family: 4 | 6;
  readonly nowMs: () => number;
  /** Hears of each datagram that was dropped. */
  readonly onDropped: (why: unknown) => void;
}

/** A socket that is not bound yet. */
export function guardedSocket({ family, nowMs, onDropped }: GuardOptions): dgram.Socket {
  const socket = dgram.createSocket({ type: `udp${family}`, ipv6Only: family === 6 });
  const on = socket.on.bind(socket);
  let secondMs = 0;
  let count = 0;
  const guarded = (handle: (datagram: Buffer, sender: dgram.RemoteInfo) => void) => (datagram: Buffer, sender: dgram.RemoteInfo) => {
    const now = nowMs();
    if (now - secondMs >= 1000) [secondMs, count] = [now, 0];
    if (++count > MOST_A_SECOND) return;
    try {
      checkDhtMessage(datagram);
      handle(datagram, sender);
    } catch (thrown) {
      onDropped(thrown);
    }
  };
  const wrap = (name: string, handle: (...args: never[]) => void): dgram.Socket =>
    on(name, name === "message" ? guarded(handle as never) : (handle as () => void));
  return Object.assign(socket, { on: wrap });
}

/** Throws where the datagram is no DHT message (BEP 5). */
export function checkDhtMessage(datagram: Buffer): void {
  if (datagram.length > MOST_BYTES) throw new RangeError(`a datagram of ${datagram.length} bytes`);
  const message = decodeDict(datagram, LIMITS);
  for (const part of ["a", "r"]) {
    const fields = dictDict(message, part);
    if (message.has(part) && (fields === undefined || IDS.some((name) => isWrongId(fields, name)))) throw new TypeError("ids are wrong");
  }
}

function isWrongId(fields: BencodeDict, name: string): boolean {
  return fields.has(name) && dictBytes(fields, name)?.length !== ID_BYTES;
}
