/**
 * A torrent client that takes part in a benchmark: one seed, one leech, started on the same torrent and data.
 */

/** The torrent and the file behind it: FOLDER/NAME. */
export interface Content {
  readonly folder: string;
  readonly name: string;
  readonly torrentPath: string;
  readonly lengthBytes: number;
  readonly sha256: string;
}

export interface Seed extends AsyncDisposable {
  readonly pid: number;
  /** `host:port` of its peer port. */
  readonly address: string;
}

/** A leech that waits for its start. */
export interface Leech extends AsyncDisposable {
  /** 0 before `run` where the process starts with it. */
  readonly pid: number;
  /** Where the file will be. */
  readonly path: string;
  /** From the first connection (or the start of the process, where it cannot wait) to the last verified piece. */
  run(onStart: (pid: number) => void): Promise<{ seconds: number }>;
}

export interface Contender {
  readonly name: string;
  /** So slow that one run has to do. */
  readonly slow?: boolean;
  /** How to install what is not there; undefined: ready. */
  missing(): string | undefined;
  seed(content: Content): Promise<Seed>;
  leech(content: Content, at: { folder: string; peer: string }): Promise<Leech>;
}
