/**
 * Which files a run of bytes lies in. Decides: arithmetic on offsets, by binary search.
 */

export interface PlacedFile {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** A run of bytes in one file, or of padding (`file` undefined). */
export interface Extent {
  /** Index of the file. */
  readonly file: number | undefined;
  /** Where in the file. */
  readonly fileOffset: number;
  /** Where in the run that was asked for. */
  readonly start: number;
  readonly lengthBytes: number;
}

/** The files that have content, by their offsets. */
export class FileExtents {
  readonly #files: readonly PlacedFile[];
  /** Indices of files with content, in the order of offsets. */
  readonly #order: readonly number[];

  constructor(files: readonly PlacedFile[]) {
    this.#files = files;
    this.#order = files.flatMap((file, index) => (file.lengthBytes > 0 ? [index] : []));
  }

  /** The run in order, without gaps. */
  extents(offset: number, lengthBytes: number): Extent[] {
    const found: Extent[] = [];
    const end = offset + lengthBytes;
    let at = offset;
    for (let next = this.#firstEndingAfter(offset); at < end; next++) {
      const index = this.#order[next];
      const begin = index === undefined ? end : Math.min(end, this.#files[index].offset);
      if (begin > at) found.push({ file: undefined, fileOffset: 0, start: at - offset, lengthBytes: begin - at });
      at = Math.max(at, begin);
      if (index === undefined || at >= end) break;
      const file = this.#files[index];
      const take = Math.min(end, file.offset + file.lengthBytes) - at;
      found.push({ file: index, fileOffset: at - file.offset, start: at - offset, lengthBytes: take });
      at += take;
    }
    return found;
  }

  #firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const file = this.#files[this.#order[middle]];
      if (file.offset + file.lengthBytes <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
