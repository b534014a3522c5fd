/**
 * Where a torrent's bytes are on disk, as the engine sees it: one file (data-file.ts) or several (file-set.ts), addressed by where they lie
 * among the pieces' bytes. Types only.
 */

/** One run of a piece in one file. */
export interface WritePart {
  /** -1: opened by `path` for this write alone, as the piece lies in more files than may be open. */
  readonly fd: number;
  readonly path?: string;
  /** Where in the file. */
  readonly offset: number;
  /** Where in the piece, and how much of it. */
  readonly start: number;
  readonly lengthBytes: number;
}

/** Where a piece is to be written; its files stay open until it is released. */
export interface WritePlace {
  /** The one file; -1: none, or several. */
  readonly fd: number;
  readonly offset: number;
  readonly parts?: readonly WritePart[];
  release(): void;
}

export interface ContentStore {
  /** What to call it in messages: the file, or the folder of files. */
  readonly path: string;
  /** One path for each file of the layout. */
  readonly paths: readonly string[];
  /** Fills `target` from `offset` on; padding is zeros. Rejects where a file is too short. */
  read(target: Uint8Array, offset: number): Promise<void>;
  /** Opens what a write of these bytes needs. */
  place(offset: number, lengthBytes: number): WritePlace | Promise<WritePlace>;
  /** True where a file that holds these bytes is not there, or not of its length: nothing in it can be trusted. */
  lacks(offset: number, lengthBytes: number): boolean;
  /** A number that is another one when a file was changed: of one file its modification time in milliseconds. */
  stamp(): Promise<number>;
  close(): Promise<void>;
}
