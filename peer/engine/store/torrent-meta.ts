/**
 * What is known of a torrent besides its pieces, in one small bencoded file, replaced atomically.
 */
import { readFile } from "node:fs/promises";
import { replaceFile } from "../../../system/replace-file.ts";
import { decodeDict, dictBytes, dictInt, encode } from "../../../torrents/bencode.ts";

export interface TorrentMeta {
  readonly liveInfo?: Buffer;
  readonly infoV1?: Buffer;
  readonly infoV2?: Buffer;
  readonly pieceLayer?: Buffer;
  readonly finalSignature?: Buffer;
  /** Boot of the machine in which the journal was written: after another boot nothing on disk is trusted unread. */
  readonly boot?: string;
  /** Modification time (ms, rounded) and length of the data when the torrent became complete. */
  readonly completeMtimeMs?: number;
}

/** Reads the file; an absent or damaged one gives an empty meta. */
export async function readMeta(path: string): Promise<TorrentMeta> {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) return {};
  try {
    const dict = decodeDict(bytes);
    return {
      liveInfo: dictBytes(dict, "live"),
      infoV1: dictBytes(dict, "v1"),
      infoV2: dictBytes(dict, "v2"),
      pieceLayer: dictBytes(dict, "layer"),
      finalSignature: dictBytes(dict, "signature"),
      boot: dictBytes(dict, "boot")?.toString("utf8"),
      completeMtimeMs: dictInt(dict, "mtime"),
    };
  } catch {
    return {};
  }
}

/** Writes a new file beside the old one and renames it over. */
export async function writeMeta(path: string, meta: TorrentMeta): Promise<void> {
  const dict: Record<string, Buffer | string | number> = {};
  const fields: Record<string, Buffer | string | number | undefined> = {
    live: meta.liveInfo,
    v1: meta.infoV1,
    v2: meta.infoV2,
    layer: meta.pieceLayer,
    signature: meta.finalSignature,
    boot: meta.boot,
    mtime: meta.completeMtimeMs,
  };
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) dict[key] = value;
  await replaceFile(path, encode(dict as never));
}
