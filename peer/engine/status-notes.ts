/**
 * What is worth telling a supernode of the engine's torrents, in the words of torrents/host-report.ts. Decides.
 *
 * A torrent is told of when its figures differ from those that the supernode has last taken in; who was told longest ago comes first, so that
 * a full report starves nobody. Invariant: `told` holds what was confirmed; at most MOST_REPORTED_TASKS go into one report.
 */
import { MOST_MAPPED_PIECES, MOST_REPORTED_TASKS, type TaskStatus } from "../../torrents/host-report.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { Torrent } from "./types.ts";

const MOST_CLOSED = 1000;

export class StatusNotes {
  /** What was taken in last, by torrent, in the order of telling. */
  readonly #told = new Map<InfoHash, TaskStatus>();
  /** Last figures of torrents that are closed. */
  readonly #closed = new Map<InfoHash, TaskStatus>();
  #whole = true;
  #allCollected = false;

  /** Not everything was told yet. */
  get whole(): boolean {
    return this.#whole;
  }

  /** A torrent ends: its last figures are told with the next report. */
  closing(torrent: Torrent): void {
    const status = { ...statusOf(torrent), downloadBytesPerSecond: 0, uploadBytesPerSecond: 0, connections: 0 };
    this.#closed.set(torrent.infoHash, status);
    if (this.#closed.size > MOST_CLOSED) this.#closed.delete(this.#closed.keys().next().value as InfoHash);
  }

  /** The next report's tasks; the same again until they are confirmed. */
  collect(torrents: Iterable<Torrent>): TaskStatus[] {
    const changed: TaskStatus[] = [];
    for (const torrent of torrents) {
      this.#closed.delete(torrent.infoHash);
      const status = statusOf(torrent);
      if (!isSame(this.#told.get(status.infoHash), status)) changed.push(withMap(status, torrent));
    }
    for (const status of this.#closed.values()) if (!isSame(this.#told.get(status.infoHash), status)) changed.push(status);
    this.#allCollected = changed.length <= MOST_REPORTED_TASKS;
    if (this.#allCollected) return changed;
    const order = new Map([...this.#told.keys()].map((infoHash, index) => [infoHash, index]));
    const turn = ({ infoHash }: TaskStatus): number => order.get(infoHash) ?? -1;
    return changed.sort((one, other) => turn(one) - turn(other)).slice(0, MOST_REPORTED_TASKS);
  }

  /** The supernode has taken these in. */
  confirm(statuses: readonly TaskStatus[]): void {
    if (this.#allCollected) this.#whole = false;
    for (const status of statuses) {
      const { infoHash } = status;
      this.#told.delete(infoHash);
      if (this.#closed.get(infoHash) === status) this.#closed.delete(infoHash);
      else this.#told.set(infoHash, status);
    }
  }

  /** Forgets torrents that are no more. */
  retain(torrents: ReadonlyMap<InfoHash, Torrent>): void {
    for (const infoHash of this.#told.keys()) if (!torrents.has(infoHash)) this.#told.delete(infoHash);
  }

  /** The supernode does not know us: everything is told again. */
  reset(): void {
    this.#told.clear();
    this.#whole = true;
  }
}

/** All but the map. */
function statusOf(torrent: Torrent): TaskStatus {
  const { stats, infoHash, geometry } = torrent;
  const { origin, seeder, peers } = stats.from;
  return {
    infoHash,
    bytesHave: Math.min(geometry.lengthBytes, stats.bytesHave),
    piecesHave: stats.piecesHave,
    from: { origin, seeder, peers },
    uploadedBytes: stats.uploadedBytes,
    downloadBytesPerSecond: Math.round(stats.downloadBytesPerSecond),
    uploadBytesPerSecond: Math.round(stats.uploadBytesPerSecond),
    connections: stats.connections,
  };
}

/** Pieces come and are not lost: where their number is the same, so is the map. */
function isSame(told: TaskStatus | undefined, now: TaskStatus): boolean {
  return (
    told !== undefined &&
    told.piecesHave === now.piecesHave &&
    told.bytesHave === now.bytesHave &&
    told.uploadedBytes === now.uploadedBytes &&
    told.downloadBytesPerSecond === now.downloadBytesPerSecond &&
    told.uploadBytesPerSecond === now.uploadBytesPerSecond &&
    told.connections === now.connections &&
    told.from.origin === now.from.origin &&
    told.from.seeder === now.from.seeder &&
    told.from.peers === now.from.peers
  );
}

function withMap(status: TaskStatus, torrent: Torrent): TaskStatus {
  const { pieceCount } = torrent.geometry;
  const mapped = status.piecesHave > 0 && status.piecesHave < pieceCount && pieceCount <= MOST_MAPPED_PIECES;
  if (!mapped) return status;
  const bytes = Buffer.alloc(Math.ceil(pieceCount / 8));
  for (let index = 0; index < pieceCount; index++) if (torrent.has(index)) bytes[index >> 3] |= 0x80 >> (index & 7);
  return { ...status, pieces: bytes.toString("base64") };
}
