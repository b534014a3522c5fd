/**
 * One web server's copy of a torrent's files as an origin of the torrent's bytes. Drives the origins that this host reads anyway, with
 * their limits, connections and counters. What it sends is checked piece by piece by whoever asked.
 */
import type { AskOptions, ChunkSink, Origin, OriginRequest, Probe, ReadRange } from "../../origin/types.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { TorrentLayout } from "../../torrents/torrent-layout.ts";
import { segmentsOf, webSeedUrl } from "./web-seed-plan.ts";

const ZEROS = Buffer.alloc(64 * 1024);

export class WebSeedOrigin implements Origin {
  readonly #origin: Origin;
  readonly #seed: string;
  readonly #layout: TorrentLayout;

  constructor(parts: { origin: Origin; seed: string; layout: TorrentLayout }) {
    this.#origin = parts.origin;
    this.#seed = parts.seed;
    this.#layout = parts.layout;
  }

  /** Looks at the longest file. Rejects with SkimmerError `origin_changed` (another length), `origin_failed` (no ranges), origin_*. */
  async probe(_request: OriginRequest, options: AskOptions): Promise<Probe> {
    const { files, geometry, name } = this.#layout;
    const longest = files.reduce((best, { lengthBytes }, file) => (lengthBytes > files[best].lengthBytes ? file : best), 0);
    const probe = await this.#origin.probe(this.#requestOf(longest), options);
    if (probe.lengthBytes !== undefined && probe.lengthBytes !== files[longest].lengthBytes)
      throw new SkimmerError("origin_changed", `the web seed has a file of ${probe.lengthBytes} bytes, not ${files[longest].lengthBytes}`);
    if (!probe.ranges) throw new SkimmerError("origin_failed", "the web seed gives no byte ranges");
    return { lengthBytes: geometry.lengthBytes, ranges: true, validators: {}, name, cacheControl: "" };
  }

  async read(_request: OriginRequest, range: ReadRange, sink: ChunkSink, options: AskOptions): Promise<void> {
    const { files, geometry } = this.#layout;
    for (const segment of segmentsOf(this.#layout, range.firstByte, range.lastByte ?? geometry.lengthBytes - 1)) {
      if (segment.kind === "zeros") {
        for (let left = segment.lengthBytes; left > 0; left -= ZEROS.length) await sink(ZEROS.subarray(0, left));
        continue;
      }
      const { file, start, lengthBytes } = segment;
      const part = { firstByte: start, lastByte: start + lengthBytes - 1, validators: {}, lengthBytes: files[file].lengthBytes };
      await this.#origin.read(this.#requestOf(file), part, sink, options);
    }
  }

  /** The origins are closed by whom they belong to. */
  async close(): Promise<void> {}

  #requestOf(file: number): OriginRequest {
    return { url: webSeedUrl(this.#seed, this.#layout, file), headers: {} };
  }
}
