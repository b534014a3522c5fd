/**
 * Which ranges of one large memory are free: a buddy allocator, lengths rounded up to powers of two. Decides; holds no memory.
 *
 * One memory in place of a buffer for each piece, because each allocation of shared memory costs a system call and zeroed pages, and
 * hundreds of them make V8 collect garbage over and over (a fifth of all CPU time of a fan-out).
 * Invariant: free blocks never overlap what was taken, and no two free buddies stay apart.
 */

/** What a free block's entry in `#freeOrder` is when the unit begins none. */
const NOT_FREE = -1;

export class BuddyArena {
  readonly lengthBytes: number;
  readonly #unitBytes: number;
  readonly #topOrder: number;
  /** By unit: the order of the free block that begins there. */
  readonly #freeOrder: Int8Array;
  /** By order: units where free blocks may begin; the last given back is the first used, while it is in the CPU's cache. */
  readonly #stacks: number[][];

  /** Offsets are multiples of `unitBytes`, a power of two; `lengthBytes` is rounded down to whole units. */
  constructor(lengthBytes: number, unitBytes: number) {
    this.#unitBytes = unitBytes;
    const unitCount = Math.floor(lengthBytes / unitBytes);
    this.lengthBytes = unitCount * unitBytes;
    this.#topOrder = Math.floor(Math.log2(Math.max(1, unitCount)));
    this.#freeOrder = new Int8Array(unitCount).fill(NOT_FREE);
    this.#stacks = Array.from({ length: this.#topOrder + 1 }, () => []);
    let unit = 0;
    for (let order = this.#topOrder; order >= 0; order--) {
      if ((unitCount & (1 << order)) === 0) continue;
      this.#put(unit, order);
      unit += 1 << order;
    }
  }

  /** Bytes that a length occupies. */
  roundUp(lengthBytes: number): number {
    return this.#unitBytes << this.#orderOf(lengthBytes);
  }

  /** Offset of a free range, or -1. */
  take(lengthBytes: number): number {
    const wanted = this.#orderOf(lengthBytes);
    let order = wanted;
    let unit = -1;
    while (order <= this.#topOrder && unit < 0) unit = this.#pop(order++);
    if (unit < 0) return -1;
    // the loop went one past the order that had a block
    for (order--; order > wanted; order--) this.#put(unit + (1 << (order - 1)), order - 1);
    return unit * this.#unitBytes;
  }

  /** Gives back what take() of the same length answered. */
  give(offset: number, lengthBytes: number): void {
    let unit = offset / this.#unitBytes;
    let order = this.#orderOf(lengthBytes);
    for (; order < this.#topOrder; order++) {
      const buddy = unit ^ (1 << order);
      if (this.#freeOrder[buddy] !== order) break;
      this.#freeOrder[buddy] = NOT_FREE;
      unit = Math.min(unit, buddy);
    }
    this.#put(unit, order);
  }

  #orderOf(lengthBytes: number): number {
    const units = Math.max(1, Math.ceil(lengthBytes / this.#unitBytes));
    return Math.ceil(Math.log2(units));
  }

  #put(unit: number, order: number): void {
    this.#freeOrder[unit] = order;
    this.#stacks[order].push(unit);
  }

  /** Entries of blocks that were merged since stay in the stacks: they are passed over here. */
  #pop(order: number): number {
    const stack = this.#stacks[order];
    for (let unit = stack.pop(); unit !== undefined; unit = stack.pop()) {
      if (this.#freeOrder[unit] !== order) continue;
      this.#freeOrder[unit] = NOT_FREE;
      return unit;
    }
    return -1;
  }
}
