/**
 * The extended handshake (BEP 10): what we offer, and what we believe of the other side's offer.
 * Our own dictionary `sk` (docs/live-torrents.md) tells the longest request that we accept, and our role.
 */
import { decodeDict, dictDict, dictInt, encode } from "../../../torrents/bencode.ts";

/** Extension ids that the other side must use when it writes to us. */
export const OUR_EXTENSION = { metadata: 1, pex: 2, live: 3, uploadOnly: 4, dontHave: 5 } as const;

export interface ExtendedHandshake {
  /** Ids that they want to see; 0 where they do not speak the extension. */
  readonly metadata: number;
  readonly pex: number;
  readonly live: number;
  /** Where they want to hear that we need nothing any more. */
  readonly uploadOnly: number;
  /** BEP 21: they need nothing themselves. */
  readonly needsNothing: boolean;
  /** Length of the info dict, bytes; 0 where not told. */
  readonly metadataBytes: number;
  /** Their listening port; 0 where not told. */
  readonly port: number;
  /** Requests that they allow in their queue. */
  readonly requestQueue: number;
  /** Longest request that they accept, bytes. */
  readonly blockBytes: number;
}

const STANDARD_BLOCK_BYTES = 16384;
const STANDARD_REQUEST_QUEUE = 250;

/** Payload of our extended handshake. */
export function encodeExtendedHandshake(us: {
  metadataBytes: number;
  port: number;
  live: boolean;
  blockBytes: number;
  requestQueue: number;
  version: string;
  needsNothing?: boolean;
}): Buffer {
  const extensions: Record<string, number> = {
    lt_donthave: OUR_EXTENSION.dontHave,
    upload_only: OUR_EXTENSION.uploadOnly,
    ut_metadata: OUR_EXTENSION.metadata,
    ut_pex: OUR_EXTENSION.pex,
  };
  if (us.live) extensions.sk_live = OUR_EXTENSION.live;
  const dict: Record<string, unknown> = {
    m: extensions,
    p: us.port,
    reqq: us.requestQueue,
    sk: { block: us.blockBytes },
    v: us.version,
  };
  if (us.needsNothing === true) dict.upload_only = 1;
  if (us.metadataBytes > 0) dict.metadata_size = us.metadataBytes;
  return encode(dict as never);
}

/** Reads theirs; throws SkimmerError `protocol` where it is no dictionary. Values out of bounds count as absent. */
export function parseExtendedHandshake(payload: Buffer): ExtendedHandshake {
  const dict = decodeDict(payload);
  const extensions = dictDict(dict, "m");
  const ours = dictDict(dict, "sk");
  return {
    metadata: extensionId(extensions, "ut_metadata"),
    pex: extensionId(extensions, "ut_pex"),
    live: extensionId(extensions, "sk_live"),
    uploadOnly: extensionId(extensions, "upload_only"),
    needsNothing: dictInt(dict, "upload_only") === 1,
    metadataBytes: within(dictInt(dict, "metadata_size"), 1, MAX_METADATA_BYTES) ?? 0,
    port: within(dictInt(dict, "p"), 1, 65535) ?? 0,
    requestQueue: within(dictInt(dict, "reqq"), 1, 100_000) ?? STANDARD_REQUEST_QUEUE,
    blockBytes: within(ours && dictInt(ours, "block"), STANDARD_BLOCK_BYTES, 1 << 20) ?? STANDARD_BLOCK_BYTES,
  };
}

/** An info dict longer than this is refused: a million pieces of v1 hashes fit. */
export const MAX_METADATA_BYTES = 24 * 1024 * 1024;

function extensionId(extensions: Parameters<typeof dictInt>[0] | undefined, name: string): number {
  return within(extensions && dictInt(extensions, name), 1, 255) ?? 0;
}

function within(value: number | undefined, least: number, most: number): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined;
}
