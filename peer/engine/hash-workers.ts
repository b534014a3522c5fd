/**
 * The engine's side of the hash worker threads: jobs out, results back, started when first needed.
 * Invariant: each job is answered exactly once; a worker that dies fails its jobs instead of losing them.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

export interface HashJob {
  readonly id: number;
  /** Names the slot's memory; the memory itself goes to a thread once (posting it costs 0.3 ms each time). */
  readonly slotId: number;
  readonly memory?: SharedArrayBuffer;
  readonly lengthBytes: number;
  /** Leaves of the piece's Merkle tree; 0: no SHA-256 root wanted. */
  readonly leafCount: number;
  readonly sha1: boolean;
  readonly expectedRoot?: Uint8Array;
  readonly expectedSha1?: Uint8Array;
  /** Where to write a good piece; -1: nowhere. */
  readonly fd: number;
  readonly offset: number;
}

/** The slot is gone: the thread lets go of its memory. */
export interface ForgetSlot {
  readonly forget: number;
}

export interface HashResult {
  readonly id: number;
  readonly good: boolean;
  readonly root?: Uint8Array;
  readonly sha1?: Uint8Array;
  readonly error?: { readonly code: string; readonly message: string };
}

interface Lane {
  readonly worker: Worker;
  /** Slots whose memory the thread holds. */
  readonly slots: Set<number>;
  readonly pending: Map<number, { resolve(result: HashResult): void; reject(error: Error): void }>;
}

const MOST_WORKERS = 2;

/** A small pool of threads; idle ones do not keep the process alive. */
export class HashWorkers {
  readonly #lanes: Lane[] = [];
  #nextId = 1;

  /** Starts a thread now: the first pieces would wait 0.1 s for it. For those that live long. */
  warm(): void {
    if (this.#lanes.length === 0) this.#start();
  }

  /** Hashes (and writes) one piece. Rejects only where the thread itself failed. */
  run(job: Omit<HashJob, "id"> & { memory: SharedArrayBuffer }): Promise<HashResult> {
    const lane = this.#pickLane();
    const id = this.#nextId++;
    const { memory, ...rest } = job;
    const message: HashJob = lane.slots.has(job.slotId) ? { ...rest, id } : { ...rest, id, memory };
    lane.slots.add(job.slotId);
    return new Promise((resolve, reject) => {
      lane.pending.set(id, { resolve, reject });
      lane.worker.postMessage(message);
    });
  }

  /** The pool gave the slot's memory up. */
  forget(slotId: number): void {
    for (const lane of this.#lanes) if (lane.slots.delete(slotId)) lane.worker.postMessage({ forget: slotId } satisfies ForgetSlot);
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.worker.terminate()));
  }

  #pickLane(): Lane {
    const idle = this.#lanes.find((lane) => lane.pending.size === 0);
    if (idle !== undefined) return idle;
    const most = Math.min(MOST_WORKERS, Math.max(1, Math.floor(availableParallelism() / 2)));
    if (this.#lanes.length < most) return this.#start();
    return this.#lanes.reduce((best, lane) => (lane.pending.size < best.pending.size ? lane : best));
  }

  #start(): Lane {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const worker = new Worker(bootstrap(new URL(`./hash-worker.${extension}`, import.meta.url)), { eval: true });
    const lane: Lane = { worker, slots: new Set(), pending: new Map() };
    worker.unref();
    worker.on("message", (result: HashResult) => {
      const waiting = lane.pending.get(result.id);
      lane.pending.delete(result.id);
      waiting?.resolve(result);
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

/**
 * Source that starts the thread with the compile cache on. A thread does not inherit it, and without it stripping the
 * types of the thread's few files costs 0.4 s of CPU in every new daemon.
 */
function bootstrap(file: URL): string {
  return `import("node:module").then(({ enableCompileCache }) => { enableCompileCache(); return import(${JSON.stringify(file.href)}); });`;
}
