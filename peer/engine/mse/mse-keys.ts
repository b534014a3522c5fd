/**
 * What both sides of message stream encryption derive from the shared secret S and the info hash (SKEY), and the bounds of the
 * messages. Decides.
 */
import { hash } from "node:crypto";
import type { InfoHash } from "../../../torrents/ids.ts";
import { Rc4 } from "./rc4.ts";

export const HASH_BYTES = 20;
/** Most random padding that the protocol allows at each of the four places. */
export const MOST_PAD_BYTES = 512;
/** Eight zero bytes: by their encrypted form the other side finds where the padding ends. */
export const VERIFICATION = Buffer.alloc(8);
export const CRYPTO = { plaintext: 1, rc4: 2 } as const;

/** What the opening of a connection came to after some bytes. */
export type OpeningStep =
  | { readonly kind: "more"; readonly reply?: Buffer }
  | {
      readonly kind: "done";
      readonly reply?: Buffer;
      /** What of the bytes so far belongs to the BitTorrent stream, decrypted. */
      readonly bytes: Buffer;
      /** Absent: the stream goes on in plain text. */
      readonly ciphers?: StreamCiphers;
    };

/** What comes before the BitTorrent handshake. Throws SkimmerError `protocol`. */
export interface Opening {
  feed(bytes: Buffer): OpeningStep;
}

export interface StreamCiphers {
  readonly incoming: Rc4;
  readonly outgoing: Rc4;
}

/** By what the responder recognizes the end of the initiator's first padding. */
export function syncMark(secret: Buffer): Buffer {
  return digest("req1", secret);
}

/** How an info hash is named to somebody who knows it, without the mask of the secret. */
export function skeyName(infoHash: InfoHash): Buffer {
  return digest("req2", Buffer.from(infoHash, "hex"));
}

/** Masks, or unmasks, the name of an info hash. */
export function maskedName(name: Buffer, secret: Buffer): Buffer {
  const mask = digest("req3", secret);
  return Buffer.from(name.map((byte, at) => byte ^ mask[at]));
}

/** The key streams of initiator and responder. */
export function deriveCiphers(secret: Buffer, infoHash: InfoHash): { initiator: Rc4; responder: Rc4 } {
  const skey = Buffer.from(infoHash, "hex");
  return { initiator: new Rc4(digest("keyA", secret, skey)), responder: new Rc4(digest("keyB", secret, skey)) };
}

function digest(label: string, ...parts: readonly Buffer[]): Buffer {
  return hash("sha1", Buffer.concat([Buffer.from(label, "latin1"), ...parts]), "buffer");
}
