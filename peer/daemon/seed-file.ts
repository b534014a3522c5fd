/**
 * Shares a file or folder of the host's user: hashes it, makes its torrents, and seeds it where it is, without a copy. Drives.
 *
 * A file's twins (v1, v2) and a hybrid are one task. The twins of a folder lie in pieces differently, and are two tasks that go together.
 * Invariant: what is shared is watched; a file that changes ends the share (open-runs.ts), since it is no longer what the hashes say.
 */
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { SkimmerError } from "../../system/errors.ts";
import { choosePieceLength } from "../../torrents/geometry.ts";
import { layersOf, layoutOf, makeHybrid, makeOwnV1, makeOwnV2, type OwnContent } from "../../torrents/make-torrent.ts";
import { safeName } from "../../torrents/safe-name.ts";
import { magnetLink, type PieceLayer, torrentFile } from "../../torrents/torrent-file.ts";
import type { TorrentLayout } from "../../torrents/torrent-layout.ts";
import { readSupernode } from "./check-request.ts";
import type { SeedRequest, SeedResult } from "./daemon-api.ts";
import type { DownloadParts } from "./download.ts";
import { mergePlaces } from "./merge-places.ts";
import { findOwnFiles } from "./own-files.ts";
import { entryOf } from "./plan-torrent.ts";
import type { LinkedFile, TaskEntry } from "./task-entry.ts";
import { isLinkIntact, linkedFileOf } from "./task-index.ts";
import { describeInfos, hashesOf, type TorrentInfos } from "./torrent-source.ts";

export interface SeedOptions {
  readonly parts: Pick<DownloadParts, "runs" | "index" | "epochMs" | "engine">;
  readonly supernodes: readonly string[];
  /** Where peers reach this host, for the magnet link. */
  readonly peers: readonly string[];
  readonly signal: AbortSignal;
}

/** A torrent that was made: its dicts, and the layers that its .torrent carries. */
interface Made {
  readonly infos: TorrentInfos;
  readonly layers: readonly PieceLayer[];
}

/** Rejects with SkimmerError `bad_request` where the path cannot be shared, or the reason of `signal`. */
export async function seedFile(request: SeedRequest, options: SeedOptions): Promise<SeedResult> {
  const { path } = request;
  const found = await findOwnFiles(path);
  const name = checkedName(request.name ?? basename(path));
  const totalBytes = found.files.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const pieceLengthBytes = request.pieceLengthBytes ?? choosePieceLength(totalBytes);
  const files = found.isSingle ? found.files.map((file) => ({ ...file, path: [name] })) : found.files;
  const content = { name, isSingle: found.isSingle, files, pieceLengthBytes };
  const paths = found.files.map((file) => join(path, ...file.path));
  const watched = await Promise.all(paths.map(linkedFileOf));
  const made = await makeTorrents(content, request, options);
  await checkUnchanged(path, watched);
  const trackers = request.trackers ?? options.supernodes.map((supernode) => `${readSupernode(supernode).url}/announce`);
  const hashes = made.map(({ infos }) => hashesOf(infos)[0]);
  for (const [index, { infos }] of made.entries()) {
    const entry = entryOf(infos, { request: { url: pathToFileURL(path).href }, lastUsedAtMs: options.parts.epochMs() });
    const { webSeeds } = request;
    await share(
      infos,
      { ...entry, trackers, webSeeds, inPlace: path, watched, twin: hashes[1 - index], pinned: true, complete: true },
      options,
    );
  }
  return describe(made, { request, trackers, peers: options.peers, name, lengthBytes: totalBytes });
}

async function makeTorrents(content: OwnContent, request: SeedRequest, options: SeedOptions): Promise<Made[]> {
  const { signal, parts } = options;
  const isPrivate = request.private === true;
  const measure = (layout: TorrentLayout, wants: { sha1s: boolean; roots: boolean }) =>
    parts.engine.hashFiles({ layout, inPlace: request.path }, { wants, signal });
  const aligned = layoutOf(content, true);
  if (request.hybrid === true || content.isSingle) {
    const hashes = await measure(aligned, { sha1s: true, roots: true });
    const layers = layersOf(aligned, hashes.roots);
    const both = makeHybrid(aligned, hashes, isPrivate);
    const [infoV1, infoV2] =
      request.hybrid === true ? [both, both] : [makeOwnV1(aligned, hashes, isPrivate), makeOwnV2(aligned, hashes, isPrivate)];
    return [{ infos: { infoV1, infoV2, pieceLayer: hashes.roots }, layers }];
  }
  const plain = layoutOf(content, false);
  const { sha1s } = await measure(plain, { sha1s: true, roots: false });
  const { roots } = await measure(aligned, { sha1s: false, roots: true });
  return [
    { infos: { infoV1: makeOwnV1(plain, { sha1s }, isPrivate) }, layers: [] },
    { infos: { infoV2: makeOwnV2(aligned, { roots }, isPrivate), pieceLayer: roots }, layers: layersOf(aligned, roots) },
  ];
}

/** Opens it for good. What this host has of the torrent already gives way where it is not whole, or lies elsewhere. */
async function share(infos: TorrentInfos, entry: TaskEntry, { parts }: SeedOptions): Promise<void> {
  const { runs, index } = parts;
  const known = index.get(entry.infoHash);
  const task = { peers: [], final: undefined, alone: undefined, seedersOnly: false, infos, layout: describeInfos(infos).layout };
  const places = known === undefined ? entry : mergePlaces(known, entry);
  const { trackers, webSeeds } = places;
  const isKept = known?.complete === true && (known.inPlace ?? entry.inPlace) === entry.inPlace && (await isLinkIntact(known));
  if (known !== undefined && !isKept) await runs.remove(entry.infoHash);
  // an open torrent announces to the trackers that it began with
  else if (known !== undefined && !isDeepStrictEqual([known.trackers, known.webSeeds], [trackers, webSeeds]))
    await runs.pause(entry.infoHash);
  const change = { trackers, webSeeds, pinned: true };
  await using _ = await runs.open({ ...task, entry: { ...(isKept ? known : entry), ...change } });
  if (isKept) await index.update(entry.infoHash, change);
}

async function checkUnchanged(path: string, before: readonly LinkedFile[]): Promise<void> {
  const after = await Promise.all(before.map((file) => linkedFileOf(file.path).catch(() => undefined)));
  const same = before.every(
    ({ mtimeNs, lengthBytes }, index) => after[index]?.mtimeNs === mtimeNs && after[index].lengthBytes === lengthBytes,
  );
  if (same) return;
  throw new SkimmerError("origin_changed", `${path} changed while it was read`, { hint: "Run the command again when nobody writes it." });
}

function checkedName(name: string): string {
  if (safeName(name) === name) return name;
  throw new SkimmerError("bad_request", `the name ${JSON.stringify(name)} cannot be shared`, { hint: "Give another one with --name." });
}

function describe(
  made: readonly Made[],
  about: { request: SeedRequest; trackers: readonly string[]; peers: readonly string[]; name: string; lengthBytes: number },
): SeedResult {
  const { request, trackers, peers, name, lengthBytes } = about;
  const { webSeeds } = request;
  const common = { trackers, webSeeds };
  const infoV1 = made.map(({ infos }) => infos.infoV1).find((info) => info !== undefined);
  const v2 = made.find(({ infos }) => infos.infoV2 !== undefined);
  const infoV2 = v2?.infos.infoV2;
  if (infoV1 === undefined || infoV2 === undefined || v2 === undefined) throw new SkimmerError("internal", "a torrent was not made");
  const direct = peers.map((peer) => `&x.pe=${encodeURIComponent(peer)}`).join("");
  const isHybrid = request.hybrid === true;
  const second = torrentFile({ ...common, info: infoV2, layers: v2.layers }).toString("base64");
  return {
    infoHash: hashesOf(v2.infos)[0],
    infoHashV1: hashesOf({ infoV1 })[0],
    infoHashV2: hashesOf({ infoV2 })[0],
    name,
    lengthBytes,
    magnet: `${magnetLink({ ...common, name, infoV1, ...(isHybrid ? { infoV2 } : {}) })}${direct}`,
    magnetV2: isHybrid ? undefined : `${magnetLink({ ...common, name, infoV2 })}${direct}`,
    torrent: isHybrid ? second : torrentFile({ ...common, info: infoV1 }).toString("base64"),
    torrentV2: isHybrid ? undefined : second,
  };
}
