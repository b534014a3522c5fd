/**
 * The append-only file that says which pieces are whole. Drives one file; its bytes are journal-format.ts.
 * Invariant: an entry is written only after the piece's bytes were written, so that after kill -9 every entry is true.
 */
import { constants, type FileHandle, open } from "node:fs/promises";
import { encodeEntry, type JournalEntry, readEntries } from "./journal-format.ts";

/** An open journal. */
export class Journal {
  readonly #file: FileHandle;
  #offset: number;
  #waiting: Buffer[] = [];
  #writing: Promise<void> | undefined;
  #failure: Error | undefined;

  private constructor(file: FileHandle, offset: number) {
    this.#file = file;
    this.#offset = offset;
  }

  /** Opens or creates; answers the entries that survived. */
  static async open(path: string): Promise<{ journal: Journal; entries: JournalEntry[] }> {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT);
    const bytes = await file.readFile();
    const { entries, goodBytes } = readEntries(bytes);
    if (goodBytes < bytes.length) await file.truncate(goodBytes);
    return { journal: new Journal(file, goodBytes), entries };
  }

  /** Queues an entry; entries of one turn are written together. A failed write is thrown by flush(). */
  append(entry: JournalEntry): void {
    this.#waiting.push(encodeEntry(entry));
    this.#writing ??= this.#drain();
  }

  /** Resolves when everything appended so far is with the operating system. */
  async flush(): Promise<void> {
    if (this.#waiting.length > 0) this.#writing ??= this.#drain();
    while (this.#writing !== undefined) await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Forgets all entries: the pieces they spoke of are no longer trusted. */
  async clear(): Promise<void> {
    await this.flush();
    this.#offset = 0;
    await this.#file.truncate(0);
  }

  async close(): Promise<void> {
    await this.flush().catch(() => undefined);
    await this.#file.close();
  }

  async #drain(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const bytes = Buffer.concat(this.#waiting);
      this.#waiting = [];
      try {
        await this.#writeAll(bytes);
        this.#offset += bytes.length;
        this.#failure = undefined;
      } catch (error) {
        // a full disk: what was written of it is overwritten together with the next entry
        this.#failure = error as Error;
        this.#waiting.unshift(bytes);
        break;
      }
    }
    this.#writing = undefined;
  }

  /** A disk that fills up takes a part of a write without an error. */
  async #writeAll(bytes: Buffer): Promise<void> {
    let done = 0;
    while (done < bytes.length) done += (await this.#file.write(bytes, done, bytes.length - done, this.#offset + done)).bytesWritten;
  }
}
