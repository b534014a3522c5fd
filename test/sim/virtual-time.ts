/** Time that passes only from event to event: a heap of what is planned. */

/** Events in the order of their time; equal times in the order in which they were planned. */
export class VirtualTime {
  nowMs = 0;
  readonly #heap: { readonly atMs: number; readonly order: number; readonly run: () => void }[] = [];
  #planned = 0;

  plan(afterMs: number, run: () => void): void {
    const heap = this.#heap;
    let at = heap.push({ atMs: this.nowMs + afterMs, order: this.#planned++, run }) - 1;
    while (at > 0 && isBefore(heap[at], heap[(at - 1) >> 1])) at = swap(heap, at, (at - 1) >> 1);
  }

  /** Runs the next event; false where there is none. */
  step(): boolean {
    const heap = this.#heap;
    const next = heap[0];
    if (next === undefined) return false;
    const last = heap.pop() as typeof next;
    if (heap.length > 0) {
      heap[0] = last;
      for (let at = 0; ; ) {
        const left = 2 * at + 1;
        const least = left + 1 < heap.length && isBefore(heap[left + 1], heap[left]) ? left + 1 : left;
        if (least >= heap.length || !isBefore(heap[least], heap[at])) break;
        at = swap(heap, at, least);
      }
    }
    this.nowMs = next.atMs;
    next.run();
    return true;
  }
}

function isBefore(one: { atMs: number; order: number }, other: { atMs: number; order: number }): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

function swap<T>(heap: T[], one: number, other: number): number {
  [heap[one], heap[other]] = [heap[other], heap[one]];
  return other;
}
