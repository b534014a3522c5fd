/**
 * Very large contents leave the page cache once they are complete: read once by each of a few peers, they would push out what
 * other programs, and smaller contents, need again and again.
 *
 * Node has no posix_fadvise; GNU dd has, and tells the kernel without copying a byte. Where there is no such dd nothing happens.
 */
import { execFile } from "node:child_process";
import { totalmem } from "node:os";

/** A content longer than this share of the memory is very large. */
const SHARE = 0.25;
const LIMIT_MS = 600_000;

/** Whether a content of this length is better not kept in memory. */
export function isVeryLarge(lengthBytes: number, memoryBytes = totalmem()): boolean {
  return lengthBytes > memoryBytes * SHARE;
}

/** Writes the file's pages to disk and drops them from memory. Resolves whether it could or not. */
export function dropFromPageCache(path: string): Promise<void> {
  const args = [`of=${path}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none"];
  return new Promise((resolve) => {
    execFile("dd", args, { timeout: LIMIT_MS }, () => resolve());
  });
}
