/**
 * What callers read at this time, by caller and repository: an engine that reads several layers of an image at once is one reader of all of them.
 * Decides.
 */
export class OpenReads<Content> {
  readonly #reads = new Map<string, Set<{ readonly content: Content }>>();
  readonly #missingOf: (content: Content) => number;

  /** `missingOf`: the bytes of a content that this host lacks. */
  constructor(missingOf: (content: Content) => number) {
    this.#missingOf = missingOf;
  }

  /** `reader` reads this, until it is disposed of. */
  begin(reader: string, content: Content): Disposable {
    const reads = this.#reads.get(reader) ?? new Set();
    // the same content may be read twice at once
    const read = { content };
    this.#reads.set(reader, reads.add(read));
    return {
      [Symbol.dispose]: () => {
        reads.delete(read);
        if (reads.size === 0 && this.#reads.get(reader) === reads) this.#reads.delete(reader);
      },
    };
  }

  /** Of all that the reader reads, the bytes that this host lacks. */
  missingBytes(reader: string): number {
    let missing = 0;
    for (const { content } of this.#reads.get(reader) ?? []) missing += this.#missingOf(content);
    return missing;
  }
}
