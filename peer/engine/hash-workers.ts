/**
 * Has pieces hashed and written: on the event loop while that is little, by threads when there is more, and until they are there.
 *
 * A thread costs 0.3 s of processor time to start and 10 MB: for a download at 10 MB/s, whose hashing is 1 % of the loop, more than all of its work.
 * Jobs of one turn of the event loop go out as one message, and a thread answers for as many as it has done: waking
 * a thread costs 30 µs, and the busier the machine the longer the turns. Invariant: each job is answered exactly once; a worker that
 * dies fails its jobs instead of losing them.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { alone } from "./alone.ts";
import { EventBudget } from "./event-budget.ts";
import { hashHere } from "./hash-here.ts";
import type { WantedHashes } from "./hash-piece.ts";
import type { Slot } from "./piece-buffers.ts";
import type { WritePart } from "./store/content-store.ts";

/** What to do with a piece; where it lies is told by its slot. */
export interface PieceJob extends WantedHashes {
  /** With the padding behind the content, which is part of a SHA-1; absent: there is none. */
  readonly paddedBytes?: number;
  /** Where to write a good piece; -1: nowhere, or into several files. */
  readonly fd: number;
  readonly offset: number;
  readonly parts?: readonly WritePart[];
}

/** As a thread gets it. */
export interface HashJob extends PieceJob {
  readonly id: number;
  /** Names the memory that the piece lies in; the memory itself goes to a thread once (posting it costs 0.3 ms each time). */
  readonly memoryId: number;
  readonly memory?: SharedArrayBuffer;
  /** Where in the memory the piece begins. */
  readonly start: number;
}

/** The memory is gone: the thread lets go of it. */
export interface ForgetMemory {
  readonly forget: number;
}

export interface HashResult {
  readonly good: boolean;
  readonly root?: Uint8Array;
  readonly sha1?: Uint8Array;
  readonly error?: { readonly code: string; readonly message: string };
}

/** As a thread tells it. */
export interface ThreadResult extends HashResult {
  readonly id: number;
}

interface Lane {
  readonly worker: Worker;
  /** Memories that the thread holds. */
  readonly memories: Set<number>;
  readonly pending: Map<number, { resolve(result: HashResult): void; reject(error: Error): void }>;
  /** Jobs of this turn. */
  queued: HashJob[];
  /** It runs: it has said something. */
  isUp: boolean;
}

/** Asked once: each question reads control group files. */
const MOST_WORKERS = Math.min(2, Math.max(1, Math.floor(availableParallelism() / 2)));

/** Longer pieces would hold the event loop up for more than two milliseconds. */
const MOST_HERE_BYTES = 1024 * 1024;
/** What is hashed on the event loop: 6 % of its time, 10 with SHA-1 … */
const HERE = { perSecond: 64 * 1024 * 1024, burst: 64 * 1024 * 1024 };
/** … and nothing for so long after it was more: the loop of a fast download has enough to do. */
const BUSY_MS = 5_000;

/** A small pool of threads; idle ones do not keep the process alive. */
export class HashWorkers {
  readonly #lanes: Lane[] = [];
  readonly #here = new EventBudget(HERE, performance.now());
  #busyUntilMs = 0;
  #nextId = 1;

  /** Hashes (and writes) one piece. Rejects only where a thread itself failed. */
  run(slot: Pick<Slot, "memory" | "offset">, job: PieceJob): Promise<HashResult> {
    const { memory, offset } = slot;
    const isShort = job.lengthBytes <= MOST_HERE_BYTES;
    if (isShort && this.#isLittle(job.lengthBytes)) return hashHere(bytesOf(slot, job), job);
    const lane = this.#pickLane();
    if (isShort && !lane.isUp) return hashHere(bytesOf(slot, job), job);
    const id = this.#nextId++;
    const known = lane.memories.has(memory.id);
    const message: HashJob = {
      ...job,
      expectedRoot: alone(job.expectedRoot),
      expectedSha1: alone(job.expectedSha1),
      id,
      memoryId: memory.id,
      start: offset,
      memory: known ? undefined : memory.shared,
    };
    lane.memories.add(memory.id);
    return new Promise((resolve, reject) => {
      lane.pending.set(id, { resolve, reject });
      if (lane.queued.push(message) === 1) setImmediate(() => send(lane));
    });
  }

  #isLittle(lengthBytes: number): boolean {
    const nowMs = performance.now();
    if (nowMs < this.#busyUntilMs) return false;
    if (this.#here.take(nowMs, lengthBytes)) return true;
    this.#busyUntilMs = nowMs + BUSY_MS;
    return false;
  }

  /** The pool gave the memory up. */
  forget(memoryId: number): void {
    for (const lane of this.#lanes) {
      if (lane.memories.delete(memoryId)) lane.worker.postMessage({ forget: memoryId } satisfies ForgetMemory);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.worker.terminate()));
  }

  #pickLane(): Lane {
    const idle = this.#lanes.find((lane) => lane.pending.size === 0);
    if (idle !== undefined) return idle;
    if (this.#lanes.length < MOST_WORKERS) return this.#start();
    return this.#lanes.reduce((best, lane) => (lane.pending.size < best.pending.size ? lane : best));
  }

  #start(): Lane {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const worker = new Worker(bootstrap(new URL(`./hash-worker.${extension}`, import.meta.url)), { eval: true });
    const lane: Lane = { worker, memories: new Set(), pending: new Map(), queued: [], isUp: false };
    worker.unref();
    worker.on("message", (results: readonly ThreadResult[]) => {
      lane.isUp = true;
      for (const result of results) {
        const waiting = lane.pending.get(result.id);
        lane.pending.delete(result.id);
        waiting?.resolve(result);
      }
    });
    const fail = (error: Error): void => {
      const at = this.#lanes.indexOf(lane);
      if (at >= 0) this.#lanes.splice(at, 1);
      for (const waiting of lane.pending.values()) waiting.reject(error);
      lane.pending.clear();
    };
    worker.on("error", fail);
    worker.on("exit", () => fail(new Error("hash worker stopped")));
    this.#lanes.push(lane);
    return lane;
  }
}

function bytesOf({ memory, offset }: Pick<Slot, "memory" | "offset">, { paddedBytes, lengthBytes }: PieceJob): Buffer {
  return Buffer.from(memory.shared, offset, paddedBytes ?? lengthBytes);
}

function send(lane: Lane): void {
  const jobs = lane.queued;
  lane.queued = [];
  lane.worker.postMessage(jobs);
}

/**
 * Source that starts the thread with the compile cache on. A thread does not inherit it, and without it stripping the
 * types of the thread's few files costs 0.4 s of CPU in every new daemon.
 */
function bootstrap(file: URL): string {
  return `import("node:module").then(({ enableCompileCache }) => { enableCompileCache(); return import(${JSON.stringify(file.href)}); });`;
}
