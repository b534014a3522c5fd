/**
 * A tree of token buckets (task, class, host): a take needs room at every level, or takes nowhere. Drives a timer only
 * while somebody waits; costs two comparisons where no limit is set.
 *
 * Waiters of different leaves get equal turns by bytes and weight (start-time fair queueing, Goyal 1996): the leaf that
 * got least is served first, and one that comes late or was held elsewhere has no credit for the past. Waiters of one leaf
 * go in a circle. Invariant: each level with a rate whose queue is not empty has its timer set, or is serving.
 */
import type { Clock } from "./clock.ts";
import { TokenBucket } from "./token-bucket.ts";

/** One level of the tree. */
export class Limiter {
  readonly #clock: Clock;
  readonly #bucket: TokenBucket;
  #parent: Limiter | undefined;
  #weight = 1;
  /** Bytes by weight that this leaf got. */
  #served = 0;
  /** What the leaf that this level served last had got: where newcomers begin. */
  #begin = 0;
  /** The leaf was chosen: nobody's earlier place in a queue holds its next take. */
  #hasTurn = false;
  /** Who waits at this level: retries by leaf. */
  readonly #waiting = new Map<Limiter, Set<() => void>>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(clock: Clock, bytesPerSecond: number, parent?: Limiter) {
    this.#clock = clock;
    this.#bucket = new TokenBucket(bytesPerSecond, clock.nowMs());
    this.#parent = parent;
  }

  get bytesPerSecond(): number {
    return this.#bucket.bytesPerSecond;
  }

  /** 0 is unlimited. Holds at once: waiters are served where there is room. */
  setRate(bytesPerSecond: number): void {
    this.#bucket.setRate(bytesPerSecond, this.#clock.nowMs());
    this.#serve();
  }

  /** Hangs this leaf below another level, with another share of what is there; holds at once. */
  move({ parent, weight }: { parent: Limiter; weight: number }): void {
    const retries = this.#withdraw();
    this.#parent = parent;
    this.#weight = weight;
    for (const retry of retries) retry();
  }

  /** Takes `bytes` from every level, or none: then `retry` is called, once, when it is worth another try. */
  tryTake(bytes: number, retry: () => void): boolean {
    if (this.#closed || !this.#isLimited()) return true;
    const hasTurn = this.#hasTurn;
    this.#hasTurn = false;
    const nowMs = this.#clock.nowMs();
    for (let level: Limiter | undefined = this; level !== undefined; level = level.#parent) {
      if (level.#bucket.bytesPerSecond === 0) continue;
      const waitMs = level.#bucket.waitMs(nowMs);
      if (waitMs === 0 && (hasTurn || level.#waiting.size === 0)) continue;
      level.#enqueue(this, retry);
      level.#timer ??= setTimeout(() => level.#serve(), Math.max(1, waitMs));
      return false;
    }
    this.#charge(bytes);
    return true;
  }

  /** As tryTake, for those who wait: undefined where the bytes were taken at once. Ends early when the limiter is closed. */
  take(bytes: number): Promise<void> | undefined {
    const { promise, resolve } = Promise.withResolvers<void>();
    // at once when its turn comes: a turn does not outlast the call
    const retry = (): void => {
      if (this.tryTake(bytes, retry)) resolve();
    };
    return this.tryTake(bytes, retry) ? undefined : promise;
  }

  /** Gives back bytes that were taken but never moved. */
  refund(bytes: number): void {
    if (this.#isLimited()) this.#charge(-bytes);
  }

  /** A closed limiter holds nobody: who waits goes on. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const retries = this.#withdraw();
    for (const others of this.#waiting.values()) retries.push(...others);
    this.#waiting.clear();
    for (const retry of retries) retry();
  }

  #isLimited(): boolean {
    for (let level: Limiter | undefined = this; level !== undefined; level = level.#parent) {
      if (level.#bucket.bytesPerSecond > 0) return true;
    }
    return false;
  }

  #charge(bytes: number): void {
    for (let level: Limiter | undefined = this; level !== undefined; level = level.#parent) level.#bucket.take(bytes);
    this.#served += bytes / this.#weight;
  }

  #enqueue(leaf: Limiter, retry: () => void): void {
    const queue = this.#waiting.get(leaf);
    if (queue !== undefined) return void queue.add(retry);
    leaf.#served = Math.max(leaf.#served, this.#begin);
    this.#waiting.set(leaf, new Set([retry]));
  }

  /** Lets waiters take one after the other until the bucket is empty. */
  #serve(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#waiting.size > 0) {
      const waitMs = this.#bucket.waitMs(this.#clock.nowMs());
      if (waitMs > 0) {
        this.#timer ??= setTimeout(() => this.#serve(), waitMs);
        return;
      }
      this.#serveNext();
    }
  }

  #serveNext(): void {
    const leaf = this.#leastServed();
    const queue = this.#waiting.get(leaf) as Set<() => void>;
    const [retry] = queue;
    queue.delete(retry);
    if (queue.size === 0) this.#waiting.delete(leaf);
    this.#begin = Math.max(this.#begin, leaf.#served);
    leaf.#hasTurn = true;
    retry();
    leaf.#hasTurn = false;
  }

  /** Only called where somebody waits. */
  #leastServed(): Limiter {
    const [first, ...others] = this.#waiting.keys();
    return others.reduce((best, leaf) => (leaf.#served < best.#served ? leaf : best), first);
  }

  /** Takes this leaf out of every queue. */
  #withdraw(): (() => void)[] {
    const retries: (() => void)[] = [];
    for (let level: Limiter | undefined = this; level !== undefined; level = level.#parent) {
      retries.push(...(level.#waiting.get(this) ?? []));
      level.#waiting.delete(this);
    }
    return retries;
  }
}
