/**
 * Downloads a torrent's missing pieces from its web seeds, beside its peers (BEP 19). Drives.
 *
 * Pieces that nobody is bringing are taken, the rarest first where there are peers. A web seed that sends wrong bytes, or has another
 * file, is left alone for good; one that fails rests, longer each time. Invariant: after stop() no piece is held.
 */
import { fetchPieces } from "../../origin/fetch-pieces.ts";
import type { Origin, Probe } from "../../origin/types.ts";
import { type ErrorCode, toSkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import { shownText, shownUrl } from "../../torrents/shown-url.ts";
import type { TorrentLayout } from "../../torrents/torrent-layout.ts";
import type { Torrent } from "../engine/types.ts";
import { WebSeedOrigin } from "./web-seed-origin.ts";

export interface WebSeedsOptions {
  readonly torrent: Torrent;
  readonly layout: TorrentLayout;
  readonly urls: readonly string[];
  readonly origin: Origin;
  readonly random: () => number;
  readonly logger: Logger;
}

interface WebSeed {
  readonly url: string;
  /** What it said the last time that it was asked; undefined: nothing yet, or it failed since. */
  probe: Probe | undefined;
  failures: number;
  /** Neither read, nor resting, nor left alone. */
  isFree: boolean;
  /** While it rests. */
  timer: NodeJS.Timeout | undefined;
}

/** Web seeds that are read at the same time. */
const MOST_AT_ONCE = 4;
const MOST_CONNECTIONS = 4;
const FIRST_REST_MS = 10_000;
const MOST_REST_MS = 30 * 60_000;
/** All that is missing is being brought: it may yet fail. */
const LOOK_AGAIN_MS = 5_000;
/** What will not be better later. */
const FINAL: readonly ErrorCode[] = ["origin_changed", "origin_refused", "origin_not_found", "unsupported_scheme", "bad_request"];

export class WebSeeds {
  readonly #options: WebSeedsOptions;
  readonly #seeds: WebSeed[] = [];
  readonly #reading = new Set<Promise<void>>();
  #running: AbortController | undefined;
  #wasRead = false;

  constructor(options: WebSeedsOptions) {
    this.#options = options;
    this.add(options.urls);
  }

  /** More of them; known ones are passed over. */
  add(urls: readonly string[]): void {
    for (const url of webSeedUrls(urls)) {
      if (this.#seeds.length >= MOST_SEEDS || this.#seeds.some((seed) => seed.url === url)) continue;
      this.#seeds.push({ url, probe: undefined, failures: 0, isFree: true, timer: undefined });
    }
    this.#fill();
  }

  /** True once any content was asked of a web seed. */
  get wasRead(): boolean {
    return this.#wasRead;
  }

  /** Begins to read, or goes on. */
  start(): void {
    if (this.#running !== undefined || this.#options.torrent.complete) return;
    this.#running = new AbortController();
    this.#fill();
  }

  /** Resolves when nothing is read any more. */
  async stop(): Promise<void> {
    this.#running?.abort();
    this.#running = undefined;
    for (const seed of this.#seeds) {
      if (seed.timer === undefined) continue;
      clearTimeout(seed.timer);
      seed.timer = undefined;
      seed.isFree = true;
    }
    await Promise.all(this.#reading);
  }

  #fill(): void {
    for (const seed of this.#seeds) {
      if (this.#running === undefined || this.#reading.size >= MOST_AT_ONCE || this.#options.torrent.complete) return;
      if (seed.isFree) this.#begin(seed, this.#running.signal);
    }
  }

  #begin(seed: WebSeed, signal: AbortSignal): void {
    seed.isFree = false;
    const reading = this.#read(seed, signal).then((restMs) => {
      this.#reading.delete(reading);
      if (restMs !== undefined) this.#rest(seed, signal.aborted ? 0 : restMs);
      this.#fill();
    });
    this.#reading.add(reading);
  }

  #rest(seed: WebSeed, restMs: number): void {
    const free = (): void => {
      seed.timer = undefined;
      seed.isFree = true;
      this.#fill();
    };
    if (restMs === 0) return free();
    seed.timer = setTimeout(free, restMs);
    seed.timer.unref();
  }

  /** Reads what is missing; answers how long the web seed rests, undefined: for good. Never rejects. */
  async #read(seed: WebSeed, signal: AbortSignal): Promise<number | undefined> {
    const { torrent, layout, origin, random, logger } = this.#options;
    const source = new WebSeedOrigin({ origin, seed: seed.url, layout });
    const request = { url: seed.url, headers: {} };
    try {
      const probe = seed.probe ?? (await source.probe(request, { signal }));
      seed.probe = probe;
      this.#wasRead = true;
      const throttle = (bytes: number): Promise<void> | undefined => torrent.throttle(bytes);
      const how = { maxConnections: MOST_CONNECTIONS, isChecked: true, throttle, signal };
      await fetchPieces({ origin: source, request, probe, target: torrent, ...how });
      seed.failures = 0;
      return LOOK_AGAIN_MS;
    } catch (thrown) {
      if (signal.aborted) return 0;
      seed.probe = undefined;
      const { code, message } = toSkimmerError(thrown);
      const isFinal = FINAL.includes(code);
      logger.warn({ infoHash: torrent.infoHash, url: shownUrl(seed.url), code, err: shownText(message), isFinal }, "a web seed failed");
      if (isFinal) return undefined;
      return Math.min(MOST_REST_MS, FIRST_REST_MS * 2 ** Math.min(seed.failures++, 20)) * (0.75 + random() / 2);
    }
  }
}

const MOST_SEEDS = 100;

/** The usable ones, each once: a torrent must not make this host read its own files or buckets. */
function webSeedUrls(urls: readonly string[]): string[] {
  const usable = urls.filter((url) => /^https?:\/\//i.test(url) && URL.canParse(url));
  return [...new Set(usable)];
}
