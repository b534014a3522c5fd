/**
 * Pieces between memory and disk: checked, written, journalled, remembered. Drives the hash workers and the journal.
 * Invariant: a bit in `have` is set only after the piece's hash was right and its bytes were written.
 */
import { SkimmerError } from "../../system/errors.ts";
import { decodeGroups, encodeGroup, type RecordGroup } from "../../torrents/piece-records.ts";
import type { Slot } from "./piece-buffers.ts";
import type { PieceTruth } from "./piece-truth.ts";
import type { Journal } from "./store/journal.ts";
import { ENTRY_DROPPED, ENTRY_GROUP, ENTRY_PIECE, ENTRY_UNVERIFIED, type JournalEntry } from "./store/journal-format.ts";
import { cacheKey, type SwarmState } from "./swarm-state.ts";

const SHA1_BYTES = 20;
const ROOT_BYTES = 32;

export type CheckedPiece =
  | { readonly kind: "stored"; readonly root: Buffer | undefined }
  | { readonly kind: "unverified" }
  | { readonly kind: "mismatch" };

export class PieceStore {
  /** SHA-1 of each piece, at a signer only: the final v1 torrent is made of them. */
  readonly sha1s: Buffer | undefined;
  readonly #state: SwarmState;
  readonly #journal: Journal;
  readonly #unverifiedRoots = new Map<number, Buffer>();
  readonly #checks = new Set<Promise<CheckedPiece>>();
  #closed = false;

  constructor(state: SwarmState, journal: Journal, options: { signs: boolean }) {
    this.#state = state;
    this.#journal = journal;
    this.sha1s = options.signs ? Buffer.alloc(state.geometry.pieceCount * SHA1_BYTES) : undefined;
  }

  /** Brings back what the journal says; `groups` were checked when they were written. */
  replay(entries: readonly JournalEntry[]): void {
    const { have, unverified, geometry, truth } = this.#state;
    for (const { type, payload } of entries) {
      if (type === ENTRY_GROUP) {
        for (const group of decodeGroups(payload)) if (truth.judge(group) === "new") truth.addGroup(group);
        continue;
      }
      const index = payload.readUInt32BE(0);
      if (index >= geometry.pieceCount) continue;
      if (type === ENTRY_PIECE) {
        unverified.delete(index);
        have.add(index);
        if (payload.length === 4 + SHA1_BYTES) payload.copy(this.sha1s ?? Buffer.alloc(0), index * SHA1_BYTES, 4);
      } else if (type === ENTRY_UNVERIFIED) {
        unverified.add(index);
        this.#unverifiedRoots.set(index, payload.subarray(4));
      } else if (type === ENTRY_DROPPED) this.#forget(index);
    }
  }

  /**
   * Hashes the piece in `slot`, writes it when it is right, and keeps it as cache entry. The slot stays the caller's.
   * After close() nothing is written: the answer is `mismatch`.
   */
  check(index: number, slot: Slot, mode: "verify" | "sign"): Promise<CheckedPiece> {
    if (this.#closed) return Promise.resolve({ kind: "mismatch" });
    const check = this.#check(index, slot, mode).finally(() => this.#checks.delete(check));
    this.#checks.add(check);
    return check;
  }

  /**
   * Takes no further piece, and resolves when no thread writes any more: only then may the files be closed, as the number of a closed
   * file is soon another torrent's. Without a limit: a write that a slow disk holds up cannot be taken back.
   */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#checks);
  }

  async #check(index: number, slot: Slot, mode: "verify" | "sign"): Promise<CheckedPiece> {
    const { truth, data, geometry, workers } = this.#state;
    const expected = mode === "sign" ? undefined : truth.expectation(index);
    const lengthBytes = truth.lengthAt(index);
    const { release, ...place } = await data.place(index * geometry.pieceLengthBytes, lengthBytes);
    const job = {
      lengthBytes,
      paddedBytes: padSlot(slot, truth, index),
      leafCount: expected?.sha1 === undefined ? truth.leafCountAt(index) : 0,
      sha1: expected?.sha1 !== undefined || mode === "sign",
      expectedRoot: expected?.root,
      expectedSha1: expected?.sha1,
      ...place,
    };
    const result = await workers.run(slot, job).finally(release);
    if (!result.good) return { kind: "mismatch" };
    if (result.error !== undefined) throw diskError(data.path, result.error);
    const root = result.root && Buffer.from(result.root);
    if (mode === "verify" && expected === undefined && root !== undefined) return this.#keepUnverified(index, root);
    if (mode === "sign" && this.sha1s !== undefined && result.sha1 !== undefined) this.sha1s.set(result.sha1, index * SHA1_BYTES);
    if (mode === "verify") this.markStored(index);
    this.#state.buffers.cache(cacheKey(this.#state, index), slot);
    return { kind: "stored", root };
  }

  /** The piece counts as ours from now on. */
  markStored(index: number): void {
    this.#state.unverified.delete(index);
    this.#state.have.add(index);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(index);
    const sha1 = this.sha1s?.subarray(index * SHA1_BYTES, (index + 1) * SHA1_BYTES);
    this.#journal.append({ type: ENTRY_PIECE, payload: sha1 === undefined ? head : Buffer.concat([head, sha1]) });
  }

  journalGroup(group: RecordGroup): void {
    this.#journal.append({ type: ENTRY_GROUP, payload: encodeGroup(group) });
  }

  /** A record for a piece that we fetched ourselves came: true where it vouches for our bytes. */
  settleUnverified(index: number, truth: PieceTruth): boolean {
    const root = this.#unverifiedRoots.get(index);
    if (root === undefined) return false;
    this.#unverifiedRoots.delete(index);
    if (truth.rootOf(index).equals(root)) {
      this.markStored(index);
      return true;
    }
    this.drop(index);
    return false;
  }

  /** The piece on disk is not what it should be. */
  drop(index: number): void {
    this.#forget(index);
    this.#state.buffers.uncache(cacheKey(this.#state, index));
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(index);
    this.#journal.append({ type: ENTRY_DROPPED, payload });
  }

  #forget(index: number): void {
    this.#state.have.delete(index);
    this.#state.unverified.delete(index);
    this.#unverifiedRoots.delete(index);
  }

  #keepUnverified(index: number, root: Buffer): CheckedPiece {
    this.#state.unverified.add(index);
    this.#unverifiedRoots.set(index, root);
    const payload = Buffer.alloc(4 + ROOT_BYTES);
    payload.writeUInt32BE(index);
    root.copy(payload, 4);
    this.#journal.append({ type: ENTRY_UNVERIFIED, payload });
    return { kind: "unverified" };
  }
}

/** Zeros behind the content where the piece ends in padding, and its length with them; undefined: it has none. */
export function padSlot(slot: Pick<Slot, "bytes">, truth: PieceTruth, index: number): number | undefined {
  const lengthBytes = truth.lengthAt(index);
  const paddedBytes = truth.paddedLengthAt(index);
  if (paddedBytes === lengthBytes) return undefined;
  slot.bytes.fill(0, lengthBytes, paddedBytes);
  return paddedBytes;
}

/** A failed write as an error for people. */
function diskError(path: string, error: { code: string; message: string }): SkimmerError {
  const full = error.code === "ENOSPC" || error.code === "EDQUOT";
  return new SkimmerError(full ? "disk_full" : "internal", `writing ${path} failed: ${error.message}`, {
    hint: full ? "Free some space and start the download again: what is there is kept." : undefined,
  });
}
