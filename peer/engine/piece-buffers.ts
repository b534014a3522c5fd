/**
 * The bounded pool of piece-long buffers: downloads in progress, pieces being hashed, and the upload cache share it.
 *
 * A slot is held by whoever acquired it (references); a slot that holds a verified piece may stay as cache entry with
 * no reference, and is taken back, least recently used first, when room is needed. Shared memory, so that the hash
 * worker reads it without a copy. Invariant: bytes of all slots ≤ budget, and a slot with references is never reused.
 */

/** One buffer of the pool. */
export interface Slot {
  readonly id: number;
  readonly memory: SharedArrayBuffer;
  readonly bytes: Buffer;
  references: number;
  /** Key of the piece that it caches, or undefined. */
  key: string | undefined;
}

interface Waiter {
  readonly lengthBytes: number;
  readonly grant: (slot: Slot) => void;
}

const ROUND_BYTES = 16384;
/** Never fewer than this many slots, however long the pieces. */
const LEAST_SLOTS = 4;

/** The pool of one engine. */
export class PieceBuffers {
  readonly #budgetBytes: number;
  readonly #onFree: (slotId: number) => void;
  #nextId = 1;
  #usedBytes = 0;
  readonly #free = new Map<number, Slot[]>();
  /** Insertion order is use order: the first is the least recently used. */
  readonly #cache = new Map<string, Slot>();
  readonly #waiters: Waiter[] = [];

  /** `onFree` hears of slots whose memory is given back. */
  constructor(budgetBytes: number, onFree: (slotId: number) => void = () => undefined) {
    this.#budgetBytes = budgetBytes;
    this.#onFree = onFree;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get budgetBytes(): number {
    return this.#budgetBytes;
  }

  /** A slot of at least `lengthBytes` with one reference, or undefined where the pool is full and others wait. */
  tryAcquire(lengthBytes: number): Slot | undefined {
    const slotBytes = Math.max(ROUND_BYTES, Math.ceil(lengthBytes / ROUND_BYTES) * ROUND_BYTES);
    const slot = this.#free.get(slotBytes)?.pop() ?? this.#allocate(slotBytes);
    if (slot !== undefined) slot.references = 1;
    return slot;
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

  retain(slot: Slot): void {
    slot.references++;
  }

  release(slot: Slot): void {
    slot.references--;
    if (slot.references > 0) return;
    if (slot.key === undefined) this.#recycle(slot);
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
    if (slot.references === 0) this.#recycle(slot);
  }

  #allocate(slotBytes: number): Slot | undefined {
    const most = Math.max(this.#budgetBytes, LEAST_SLOTS * slotBytes);
    while (this.#usedBytes + slotBytes > most) {
      const reused = this.#evictOne(slotBytes);
      if (reused === undefined) return undefined;
      if (reused !== "freed") return reused;
    }
    this.#usedBytes += slotBytes;
    const memory = new SharedArrayBuffer(slotBytes);
    return { id: this.#nextId++, memory, bytes: Buffer.from(memory), references: 0, key: undefined };
  }

  /** Gives up a free slot of another length, or the coldest cache entry: reused at once where the length fits. */
  #evictOne(slotBytes: number): Slot | "freed" | undefined {
    for (const [length, slots] of this.#free) {
      const slot = length === slotBytes ? undefined : slots.pop();
      if (slot === undefined) continue;
      this.#drop(slot);
      return "freed";
    }
    for (const [key, slot] of this.#cache) {
      if (slot.references > 0) continue;
      this.#cache.delete(key);
      slot.key = undefined;
      if (slot.bytes.length === slotBytes) return slot;
      this.#drop(slot);
      return "freed";
    }
    return undefined;
  }

  #drop(slot: Slot): void {
    this.#usedBytes -= slot.bytes.length;
    this.#onFree(slot.id);
  }

  #recycle(slot: Slot): void {
    const slots = this.#free.get(slot.bytes.length);
    if (slots === undefined) this.#free.set(slot.bytes.length, [slot]);
    else slots.push(slot);
  }

  #serveWaiters(): void {
    while (this.#waiters.length > 0) {
      const slot = this.tryAcquire(this.#waiters[0].lengthBytes);
      if (slot === undefined) return;
      this.#waiters.shift()?.grant(slot);
    }
  }
}
