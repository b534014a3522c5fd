/**
 * The torrent that a host makes for itself where no supernode answers: same shape as a live torrent, signed with the
 * host's own key, so that store, resume, final torrents and serving work the same. Decides.
 *
 * Content without validators and without digest gets a salt of its own: nothing could tell a later request whether the
 * stored content is still what the origin has.
 */
import type { KeyObject } from "node:crypto";
import { publicKeyBytes } from "../../torrents/cluster-key.ts";
import { choosePieceLength, type Geometry, geometryOf } from "../../torrents/geometry.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import { encodeLiveInfo, liveInfoHash } from "../../torrents/live-info.ts";
import { safeName } from "../../torrents/safe-name.ts";
import type { Validators } from "../../torrents/task-api.ts";
import { taskIdOf } from "../../torrents/task-identity.ts";

export interface LocalTorrent {
  readonly infoHash: InfoHash;
  readonly liveInfo: Buffer;
  readonly name: string;
  readonly geometry: Geometry;
}

export interface LocalTorrentInput {
  readonly request: Parameters<typeof taskIdOf>[0]["request"];
  readonly name: string;
  readonly lengthBytes: number;
  readonly validators: Validators;
  readonly key: KeyObject;
  /** Given: the torrent is no other request's. */
  readonly salt?: Buffer;
}

/** The same input always gives the same torrent. */
export function makeLocalTorrent(input: LocalTorrentInput): LocalTorrent {
  const { lengthBytes } = input;
  const name = safeName(input.name);
  const geometry = geometryOf({ lengthBytes, pieceLengthBytes: input.request.pieceLengthBytes ?? choosePieceLength(lengthBytes) });
  const task = Buffer.from(taskIdOf(input), "hex");
  const liveInfo = encodeLiveInfo({ ...geometry, name, key: publicKeyBytes(input.key), task });
  return { infoHash: liveInfoHash(liveInfo), liveInfo, name, geometry };
}
