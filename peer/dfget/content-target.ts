/**
 * Where this process itself puts streamed content: standard output, or a file that it writes with its own rights. Drives.
 * Loaded only where it is needed.
 */
import { chmod, type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { checkOutput, unwritable } from "../daemon/output-check.ts";

export interface ContentTarget {
  /** Takes the next bytes; resolves when it wants more; undefined: at once. */
  write(bytes: Buffer): Promise<void> | undefined;
  /** Everything was written and checked. */
  finish(): Promise<void>;
  /** It came to nothing. */
  drop(): Promise<void>;
}

/** Standard output. A reader that closes it ends the process quietly (main.ts). */
export function standardOutput(signal: AbortSignal): ContentTarget {
  const { stdout } = process;
  return {
    write: (bytes) => (stdout.write(bytes) ? undefined : drained(stdout, signal)),
    finish: () => flushed(stdout, signal),
    drop: () => Promise.resolve(),
  };
}

async function drained(stream: NodeJS.WriteStream, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.once("drain", resolve);
  await unlessAborted(promise, signal).finally(() => stream.off("drain", resolve));
}

/** Everything that was written before has left this process. */
function flushed(stream: NodeJS.WriteStream, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.write("", () => resolve());
  return unlessAborted(promise, signal);
}

async function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const left = Promise.withResolvers<never>();
  const onAbort = (): void => left.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([promise, left.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** The output path names the old file or the whole new one, never a part. Rejects with SkimmerError `output_unwritable`. */
export async function fileTarget(path: string, mode: number): Promise<ContentTarget> {
  const target = await checkOutput(path);
  const into = target.kind === "stream" ? path : join(target.folder, `.${basename(path).slice(0, 100)}.${process.pid}.part`);
  const file = await open(into, target.kind === "stream" ? "w" : "wx", mode).catch((cause) => Promise.reject(unwritable(path, cause)));
  const refuse = (cause: unknown): never => {
    throw unwritable(path, cause);
  };
  return {
    write: (bytes) => writeAll(file, bytes).catch(refuse),
    finish: async () => {
      await file.close();
      if (target.kind === "stream") return;
      await chmod(into, mode).catch(refuse);
      await rename(into, target.path).catch(refuse);
    },
    drop: async () => {
      await file.close().catch(() => undefined);
      if (target.kind === "file") await rm(into, { force: true });
    },
  };
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

/** Makes a folder for outputs. Rejects with SkimmerError `output_unwritable`. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: unknown) => Promise.reject(unwritable(path, cause)));
}
