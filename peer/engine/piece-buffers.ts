/**
 * The bounded pool of piece-long buffers: downloads in progress, pieces being hashed, and the upload cache share it.
 *
 * A slot is held by whoever acquired it (references); a slot that holds a verified piece may stay as cache entry with
 * no reference, and is taken back, least recently used first, when room is needed. Shared memory, so that the hash
 * worker reads it without a copy: one memory for all slots, of which the system backs only what was used; slots that do not fit
 * into it get their own. Invariant: bytes of all slots ≤ budget (or LEAST_SLOTS pieces) and one piece beside it, and a slot with references is
 * never reused.
 */
import { BuddyArena } from "./buddy-arena.ts";
import { SentPieces } from "./sent-pieces.ts";

/** Memory that slots lie in; its id names it to the hash threads. */
export interface SlotMemory {
  readonly id: number;
  readonly shared: SharedArrayBuffer;
}

/** One buffer of the pool. */
export interface Slot {
  readonly memory: SlotMemory;
  /** Where in the memory it begins. */
  readonly offset: number;
  readonly bytes: Buffer;
  references: number;
  /** Key of the piece that it caches, or undefined. */
  key: string | undefined;
}

interface Waiter {
  readonly lengthBytes: number;
  readonly grant: (slot: Slot) => void;
}

const UNIT_BYTES = 16384;
/** Never fewer than this many slots, however long the pieces. */
const LEAST_SLOTS = 4;

/** The pool of one engine. */
/** Share of the pool that sockets may write from at once. */
const SENT_SHARE = 0.5;

export class PieceBuffers {
  readonly sent: SentPieces;
  readonly #budgetBytes: number;
  readonly #onFree: (memoryId: number) => void;
  readonly #arena: BuddyArena;
  #arenaMemory: SlotMemory | undefined;
  #nextMemoryId = 1;
  #usedBytes = 0;
  /** Bytes of slots outside the arena. */
  #ownBytes = 0;
  /** Insertion order is use order: the first is the least recently used. */
  readonly #cache = new Map<string, Slot>();
  readonly #waiters: Waiter[] = [];
  /** The last one that uses the slot beside the pool. */
  #beside: Promise<unknown> = Promise.resolve();

  /** `onFree` hears of memories that are given back. */
  constructor(budgetBytes: number, onFree: (memoryId: number) => void = () => undefined) {
    this.#budgetBytes = budgetBytes;
    this.sent = new SentPieces(budgetBytes * SENT_SHARE);
    this.#onFree = onFree;
    this.#arena = new BuddyArena(budgetBytes, UNIT_BYTES);
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get budgetBytes(): number {
    return this.#budgetBytes;
  }

  /** A slot of at least `lengthBytes` with one reference, or undefined where the pool is full and others wait. */
  tryAcquire(lengthBytes: number): Slot | undefined {
    for (;;) {
      const slot = this.#allocate(lengthBytes);
      if (slot !== undefined || !this.#evictOne()) return slot;
    }
  }

  /** As tryAcquire, but waits for room. */
  acquire(lengthBytes: number, signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted();
    const slot = this.#waiters.length === 0 ? this.tryAcquire(lengthBytes) : undefined;
    if (slot !== undefined) return Promise.resolve(slot);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        lengthBytes,
        grant: (granted) => {
          signal.removeEventListener("abort", onAbort);
          resolve(granted);
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /**
   * A slot for the time of `use`: of the pool, or where that is full one beside it, which is used in turn. So who opens a torrent never waits
   * for what downloads hold.
   */
  async use<T>(lengthBytes: number, use: (slot: Slot) => Promise<T>): Promise<T> {
    const useAndRelease = async (slot: Slot): Promise<T> => {
      try {
        return await use(slot);
      } finally {
        this.release(slot);
      }
    };
    const slot = this.#waiters.length === 0 ? this.tryAcquire(lengthBytes) : undefined;
    if (slot !== undefined) return useAndRelease(slot);
    const turn = this.#beside.then(() => useAndRelease(this.#makeOwn(lengthBytes)));
    this.#beside = turn.catch(() => undefined);
    return turn;
  }

  retain(slot: Slot): void {
    slot.references++;
  }

  release(slot: Slot): void {
    slot.references--;
    if (slot.references > 0) return;
    if (slot.key === undefined) this.#free(slot);
    this.#serveWaiters();
  }

  /** Makes the slot the cache entry of a piece; it must hold verified bytes. */
  cache(key: string, slot: Slot): void {
    this.uncache(key);
    slot.key = key;
    this.#cache.set(key, slot);
  }

  /** The cached piece with one more reference, or undefined. */
  lookup(key: string): Slot | undefined {
    const slot = this.#cache.get(key);
    if (slot === undefined) return undefined;
    this.#cache.delete(key);
    this.#cache.set(key, slot);
    slot.references++;
    return slot;
  }

  isCached(key: string): boolean {
    return this.#cache.has(key);
  }

  uncache(key: string): void {
    const slot = this.#cache.get(key);
    if (slot === undefined) return;
    this.#cache.delete(key);
    slot.key = undefined;
    if (slot.references === 0) this.#free(slot);
  }

  #allocate(lengthBytes: number): Slot | undefined {
    if (lengthBytes * LEAST_SLOTS > this.#arena.lengthBytes) return this.#allocateOwn(lengthBytes);
    const offset = this.#arena.take(lengthBytes);
    if (offset < 0) return undefined;
    this.#usedBytes += this.#arena.roundUp(lengthBytes);
    this.#arenaMemory ??= this.#makeMemory(this.#arena.lengthBytes);
    return makeSlot(this.#arenaMemory, offset, lengthBytes);
  }

  /** Pieces so long that the arena would hold too few of them. */
  #allocateOwn(lengthBytes: number): Slot | undefined {
    if (this.#ownBytes + lengthBytes > Math.max(this.#budgetBytes, LEAST_SLOTS * lengthBytes)) return undefined;
    return this.#makeOwn(lengthBytes);
  }

  #makeOwn(lengthBytes: number): Slot {
    this.#ownBytes += lengthBytes;
    this.#usedBytes += lengthBytes;
    return makeSlot(this.#makeMemory(lengthBytes), 0, lengthBytes);
  }

  #makeMemory(lengthBytes: number): SlotMemory {
    return { id: this.#nextMemoryId++, shared: new SharedArrayBuffer(lengthBytes) };
  }

  /** Gives up the coldest cache entry that nobody reads; false where there is none. */
  #evictOne(): boolean {
    for (const [key, slot] of this.#cache) {
      if (slot.references > 0) continue;
      this.uncache(key);
      return true;
    }
    return false;
  }

  #free(slot: Slot): void {
    const lengthBytes = slot.bytes.length;
    if (slot.memory === this.#arenaMemory) {
      this.#arena.give(slot.offset, lengthBytes);
      this.#usedBytes -= this.#arena.roundUp(lengthBytes);
      return;
    }
    this.#ownBytes -= lengthBytes;
    this.#usedBytes -= lengthBytes;
    this.#onFree(slot.memory.id);
  }

  #serveWaiters(): void {
    while (this.#waiters.length > 0) {
      const slot = this.tryAcquire(this.#waiters[0].lengthBytes);
      if (slot === undefined) return;
      this.#waiters.shift()?.grant(slot);
    }
  }
}

function makeSlot(memory: SlotMemory, offset: number, lengthBytes: number): Slot {
  return { memory, offset, bytes: Buffer.from(memory.shared, offset, lengthBytes), references: 1, key: undefined };
}
