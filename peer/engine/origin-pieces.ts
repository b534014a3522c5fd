/**
 * Pieces of a torrent that come from the origin instead of peers: claimed, filled by the caller, delivered, and at a signer made truth.
 * Invariant: a claim lasts until its piece is stored, signed where we sign, or given back; nobody else fetches it meanwhile.
 */
import type { PieceRecord } from "../../torrents/piece-records.ts";
import { planClaim } from "./claim-plan.ts";
import type { Downloader } from "./downloader.ts";
import type { PieceAccount } from "./piece-account.ts";
import type { Slot } from "./piece-buffers.ts";
import type { PieceStore } from "./piece-store.ts";
import { SigningBatch } from "./signing-batch.ts";
import { isHere, type SwarmState } from "./swarm-state.ts";
import type { ByteSource, Claim, Delivery, PieceBuffer } from "./types.ts";

/** What happens to a delivered piece next; the torrent's part. */
export interface OriginPieceEvents {
  readonly closed: boolean;
  /** New truth: to be signed and told. Only at a signer. */
  onTruth(records: readonly PieceRecord[]): void;
  onGood(index: number, bytes: Buffer): void;
  onStored(index: number, verified: boolean): void;
  onSettled(): void;
  fail(error: Error): void;
}

/** Our own piece buffers carry the slot of the pool that they are a view of. */
interface OwnPieceBuffer extends PieceBuffer {
  readonly slot: Slot;
}

export class OriginPieces {
  readonly #state: SwarmState;
  readonly #store: PieceStore;
  readonly #downloader: Downloader;
  readonly #account: PieceAccount;
  readonly #events: OriginPieceEvents;
  readonly #signs: boolean;
  readonly #unsigned = new SigningBatch((records) => this.#onSigned(records));

  constructor(parts: {
    state: SwarmState;
    store: PieceStore;
    downloader: Downloader;
    account: PieceAccount;
    signs: boolean;
    events: OriginPieceEvents;
  }) {
    this.#state = parts.state;
    this.#store = parts.store;
    this.#downloader = parts.downloader;
    this.#account = parts.account;
    this.#signs = parts.signs;
    this.#events = parts.events;
  }

  claimMissing(maxPieces: number): Claim | undefined {
    const { picker } = this.#downloader;
    const isNeeded = (index: number): boolean => this.#downloader.isNeeded(index);
    // a signer reads for all, and one without peers for itself: both in order
    const inOrder = this.#signs || this.#state.links.size === 0;
    const availability = inOrder ? undefined : (index: number): number => picker.availability(index);
    const facts = { pieceCount: this.#state.geometry.pieceCount, mostPieces: maxPieces, isNeeded, availability, cursor: picker.cursor };
    const claim = planClaim(facts, this.#state.random);
    if (claim !== undefined) for (let step = 0; step < claim.count; step++) this.#downloader.claim(claim.first + step);
    return claim;
  }

  async acquire(index: number, signal: AbortSignal): Promise<PieceBuffer> {
    const lengthBytes = this.#state.truth.lengthAt(index);
    const slot = await this.#state.buffers.acquire(this.#state.truth.paddedLengthAt(index), signal);
    let released = false;
    const release = (): void => {
      if (!released) this.#state.buffers.release(slot);
      released = true;
    };
    return { index, bytes: slot.bytes.subarray(0, lengthBytes), release, slot } as OwnPieceBuffer;
  }

  async deliver(buffer: PieceBuffer, source: ByteSource): Promise<Delivery> {
    const { index } = buffer;
    let signing = false;
    this.#account.open(index);
    try {
      if (isHere(this.#state, index)) return { kind: "duplicate" };
      // a file is read beside what peers bring: two claims of one piece would free each other's
      if (this.#downloader.isUnderWay(index)) return { kind: "duplicate" };
      // who delivers from a file claimed nothing
      this.#downloader.claim(index);
      const checked = await this.#store.check(index, (buffer as OwnPieceBuffer).slot, this.#signs ? "sign" : "verify");
      if (checked.kind === "mismatch" || this.#events.closed) return { kind: "mismatch" };
      this.#account.credit(index, buffer.bytes.length, [source]);
      if (checked.kind === "stored") this.#events.onGood(index, buffer.bytes);
      signing = this.#signs;
      // the claim stays until the piece is signed: nobody may fetch it again meanwhile
      if (signing) this.#batch({ index, root: (checked as { root: Buffer }).root });
      else this.#events.onStored(index, checked.kind === "stored");
      return { kind: checked.kind };
    } catch (error) {
      this.#events.fail(error as Error);
      throw error;
    } finally {
      buffer.release();
      this.#account.close(index);
      if (!signing) this.#downloader.unclaim(index);
      this.#events.onSettled();
    }
  }

  /** Signs what waits for its signature, now. */
  flush(): void {
    this.#unsigned.flush();
  }

  #batch(record: PieceRecord): void {
    this.#unsigned.add(record, { signed: this.#state.have.count, pieceCount: this.#state.geometry.pieceCount });
  }

  #onSigned(records: readonly PieceRecord[]): void {
    if (this.#events.closed) return;
    this.#events.onTruth(records);
    for (const { index } of records) {
      this.#store.markStored(index);
      this.#downloader.unclaim(index);
      this.#events.onStored(index, true);
    }
  }
}
