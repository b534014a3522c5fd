/**
 * Makes the kernel hold free memory that it has touched before.
 *
 * A virtual machine's host takes freed memory back; the first touch of each page then costs up to 9 µs instead of 0.2 µs (measured:
 * writing a new file of 1 GiB took 0.25 s or 2.4 s). Whether a run meets such memory is chance, and hides what
 * is being compared; so each run begins with as much warm memory as it will fill. Same for every contender.
 */
import { type FileHandle, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const CHUNK_BYTES = 1024 * 1024;
/** What the programs themselves take besides the bytes that they store. */
const BESIDE_BYTES = 1024 * 1024 * 1024;
/** Free and warm ahead of what is being filled; the host looks for free memory every two seconds. */
const AHEAD_BYTES = 512 * 1024 * 1024;
const LOOK_MS = 20;

/** Fills `bytes` of page cache under `folder` and frees them at once. */
export async function warmMemory(folder: string, bytes: number): Promise<void> {
  const path = join(folder, "warm");
  {
    await using file = await open(path, "w");
    await fill(file, bytes);
  }
  await rm(path);
}

/**
 * The same for runs of many seconds: free memory would be cold again by their end, so it is held, and given free as fast as the run takes it.
 * Dispose of it when the run is over.
 */
export async function holdWarmMemory(folder: string, bytes: number): Promise<AsyncDisposable> {
  const path = join(folder, "warm");
  const file = await open(path, "w");
  await fill(file, bytes + BESIDE_BYTES);
  const wanted = (await freeBytes()) + AHEAD_BYTES;
  const stop = new AbortController();
  const giving = give(file, { heldBytes: bytes + BESIDE_BYTES, wanted, signal: stop.signal });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await giving;
      await file.close();
      await rm(path);
    },
  };
}

async function fill(file: FileHandle, bytes: number): Promise<void> {
  const chunk = Buffer.alloc(CHUNK_BYTES, 1);
  for (let written = 0; written < bytes; written += CHUNK_BYTES) await file.write(chunk);
}

async function give(
  file: FileHandle,
  { heldBytes, wanted, signal }: { heldBytes: number; wanted: number; signal: AbortSignal },
): Promise<void> {
  let held = heldBytes;
  while (held > 0 && !signal.aborted) {
    const missing = wanted - (await freeBytes());
    if (missing > 0) {
      held = Math.max(0, held - missing);
      await file.truncate(held);
    }
    await sleep(LOOK_MS);
  }
}

async function freeBytes(): Promise<number> {
  return Number(/^MemFree:\s+(\d+)/m.exec(await readFile("/proc/meminfo", "utf8"))?.[1]) * 1024;
}
