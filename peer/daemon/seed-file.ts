/**
 * Shares a local file: it is copied into the store, hashed, and seeded under a torrent that this host signs. Drives.
 * The store has a copy of its own, so that what is served does not change when the file does.
 */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { SkimmerError } from "../../system/errors.ts";
import { parseInfoV2 } from "../../torrents/final-torrents.ts";
import { originKey } from "../../torrents/task-identity.ts";
import { magnetLink, torrentFile } from "../../torrents/torrent-file.ts";
import type { Torrent } from "../engine/types.ts";
import { readSupernode } from "./check-request.ts";
import type { SeedRequest, SeedResult } from "./daemon-api.ts";
import type { DownloadParts } from "./download.ts";
import { fillFromFile } from "./fill-from-file.ts";
import { makeLocalTorrent } from "./local-torrent.ts";

export interface SeedOptions {
  readonly parts: Pick<DownloadParts, "runs" | "index" | "key" | "epochMs">;
  readonly supernodes: readonly string[];
  /** Where peers reach this host, for the magnet link. */
  readonly peers: readonly string[];
  readonly signal: AbortSignal;
}

/** Rejects with SkimmerError `bad_request` where the file cannot be shared, or the reason of `signal`. */
export async function seedFile(request: SeedRequest, options: SeedOptions): Promise<SeedResult> {
  const { parts, signal } = options;
  const before = await statFile(request.path);
  const entry = makeEntry(request.path, before, options);
  await using handle = await parts.runs.open({ entry, peers: [], final: undefined, alone: "the file is here", seedersOnly: false });
  const { torrent } = handle.run;
  const lacking = torrent.geometry.lengthBytes - torrent.stats.bytesHave;
  const whole = (await fillFromFile(torrent, request.path, { signal })) === lacking;
  if (whole) await finalKnown(torrent, signal);
  const after = await statFile(request.path);
  if (!whole || after.mtimeNs !== before.mtimeNs || after.size !== before.size) {
    handle.discard();
    throw new SkimmerError("origin_changed", `${request.path} changed while it was read`, {
      hint: "Run the command again when nobody writes it.",
    });
  }
  return describe(torrent, { ...options, trackers: entry.trackers });
}

async function statFile(path: string) {
  const found = await stat(path, { bigint: true }).catch((cause: Error) => {
    throw new SkimmerError("bad_request", `cannot read ${path}: ${cause.message}`, { cause });
  });
  if (!found.isFile() || found.size === 0n)
    throw new SkimmerError("bad_request", `${path} is not a file with content`, { hint: "Give one regular file that is not empty." });
  return found;
}

function makeEntry(path: string, found: { size: bigint; mtimeNs: bigint }, { parts, supernodes }: SeedOptions) {
  const request = { url: pathToFileURL(path).href };
  const validators = { etag: `"${found.mtimeNs}-${found.size}"` };
  const lengthBytes = Number(found.size);
  const local = makeLocalTorrent({ request, name: basename(path), lengthBytes, validators, key: parts.key });
  return {
    infoHash: local.infoHash,
    url: request.url,
    originKey: originKey(request),
    name: local.name,
    lengthBytes,
    pieceLengthBytes: local.geometry.pieceLengthBytes,
    validators,
    liveInfo: local.liveInfo.toString("base64"),
    trackers: supernodes.map((supernode) => `${readSupernode(supernode).url}/announce`),
    local: true,
    volatile: false,
    pinned: true,
    complete: false,
    lastUsedAtMs: parts.epochMs(),
    ...parts.index.get(local.infoHash),
  };
}

/** Pieces are signed in groups, and the final torrents follow from the last: within milliseconds. */
async function finalKnown(torrent: Torrent, signal: AbortSignal): Promise<void> {
  if (torrent.infoV1 !== undefined) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(signal.reason);
  torrent.once("final", resolve);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    torrent.off("final", resolve);
    signal.removeEventListener("abort", onAbort);
  }
}

function describe(torrent: Torrent, options: { trackers: readonly string[]; peers: readonly string[] }): SeedResult {
  const { trackers, peers } = options;
  const { infoV1, infoV2, pieceLayer, name, geometry } = torrent;
  if (infoV1 === undefined || infoV2 === undefined) throw new SkimmerError("internal", "a complete torrent has no final form");
  const { piecesRoot } = parseInfoV2(infoV2);
  const layer = piecesRoot && pieceLayer && geometry.pieceCount > 1 ? { piecesRoot, hashes: pieceLayer } : undefined;
  const direct = peers.map((peer) => `&x.pe=${encodeURIComponent(peer)}`).join("");
  return {
    infoHash: torrent.infoHash,
    infoHashV1: torrent.infoHashes.v1 ?? "",
    infoHashV2: torrent.infoHashes.v2 ?? "",
    name,
    lengthBytes: geometry.lengthBytes,
    magnet: `${magnetLink({ name, infoV1, trackers })}${direct}`,
    torrent: torrentFile({ info: infoV1, trackers }).toString("base64"),
    torrentV2: torrentFile({ info: infoV2, trackers, layer }).toString("base64"),
  };
}
