/**
 * All kinds of origins behind one face: the scheme chooses the back end, the host shares connections, rate and counters
 * between all tasks of the process. Drives. Back ends are opened when first asked for.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { realClock } from "../system/clock.ts";
import { SkimmerError } from "../system/errors.ts";
import { Limiter } from "../system/limiter.ts";
import { openFileOrigin } from "./file-origin.ts";
import { openHdfsOrigin } from "./hdfs-origin.ts";
import { type HttpOriginOptions, openHttpOrigin } from "./http-origin.ts";
import { OriginCounters, OriginHost } from "./origin-host.ts";
import { OriginStatusError } from "./origin-status-error.ts";
import { retryDelayMs } from "./retry-delay.ts";
import type { S3Settings } from "./s3-client.ts";
import { openS3Origin } from "./s3-origin.ts";
import type {
  AskOptions,
  ChunkSink,
  Origin,
  OriginLimits,
  OriginListing,
  OriginRequest,
  OriginStats,
  Probe,
  ReadRange,
  SharedOrigin,
} from "./types.ts";

export interface OriginOptions {
  readonly http?: Omit<HttpOriginOptions, "maxConnectionsPerHost">;
  /** Folders that file:// may read; absent: none. */
  readonly fileRoots?: readonly string[];
  readonly s3?: S3Settings & { readonly buckets?: readonly string[] };
  readonly hdfs?: { readonly user?: string };
  readonly limits?: OriginLimits;
}

/** Connections at once to one origin host, unless told otherwise. */
export const DEFAULT_CONNECTIONS = 16;
const MOST_CONNECTIONS = 1024;
/** Hosts whose counters are kept; the one that was idle longest is dropped first. */
const MOST_HOSTS = 1000;
/** A probe that fails for the moment is tried again, but its caller is waiting. */
const PROBE_TRIES = 3;
const MOST_PROBE_WAIT_MS = 2_000;

export function openOrigin(options: OriginOptions = {}): SharedOrigin {
  return new Origins(options);
}

class Origins implements SharedOrigin {
  readonly #options: OriginOptions;
  readonly #http: Origin;
  readonly #backEnds = new Map<string, Origin>();
  readonly #hosts = new Map<string, OriginHost>();
  readonly #counters = new OriginCounters();
  readonly #total: Limiter;
  #limits: Required<OriginLimits>;

  constructor(options: OriginOptions) {
    this.#options = options;
    this.#limits = checkLimits({ bytesPerSecond: 0, hostBytesPerSecond: 0, connectionsPerHost: DEFAULT_CONNECTIONS, ...options.limits });
    this.#total = new Limiter(realClock, this.#limits.bytesPerSecond);
    // each host's gate is what bounds: undici's own bound could not be changed while it runs
    this.#http = openHttpOrigin({ ...options.http, maxConnectionsPerHost: MOST_CONNECTIONS });
  }

  async probe(request: OriginRequest, options: AskOptions): Promise<Probe> {
    const backEnd = this.#backEnd(request.url);
    const host = this.#host(request.url);
    for (let tries = 1; ; tries++) {
      try {
        return await host.use({ key: request.url, isProbe: true, counters: this.#counters, ...options }, (inner) =>
          backEnd.probe(request, inner),
        );
      } catch (error) {
        const waitMs = probeWaitMs(error, tries);
        if (waitMs === undefined || tries === PROBE_TRIES) throw error;
        await sleep(waitMs, undefined, { signal: options.signal });
      }
    }
  }

  async read(request: OriginRequest, range: ReadRange, sink: ChunkSink, options: AskOptions): Promise<void> {
    const backEnd = this.#backEnd(request.url);
    const host = this.#host(request.url);
    const metered = host.meter(sink, this.#counters, options.onHeld);
    await host.use({ key: request.url, isProbe: false, counters: this.#counters, ...options }, (inner) =>
      backEnd.read(request, range, metered, inner),
    );
  }

  othersAt({ url }: OriginRequest): number {
    return this.#host(url).others(url);
  }

  async list(request: OriginRequest, options: AskOptions & { readonly most: number }): Promise<OriginListing> {
    const backEnd = this.#backEnd(request.url);
    if (backEnd.list === undefined) {
      throw new SkimmerError("unsupported_scheme", `cannot list ${new URL(request.url).protocol}// addresses: they have no folders`, {
        hint: "Folders can be listed at s3://, hdfs:// and file://.",
      });
    }
    const list = backEnd.list.bind(backEnd);
    const task = { key: request.url, isProbe: true, counters: this.#counters, ...options };
    return this.#host(request.url).use(task, (inner) => list(request, { ...inner, most: options.most }));
  }

  setLimits(limits: OriginLimits): void {
    this.#limits = checkLimits({ ...this.#limits, ...withoutUndefined(limits) });
    this.#total.setRate(this.#limits.bytesPerSecond);
    for (const host of this.#hosts.values()) host.setLimits(this.#limits);
  }

  stats(): OriginStats {
    const { requests, bytes, failures, statuses } = this.#counters;
    return {
      limits: this.#limits,
      hosts: [...this.#hosts.values()].map((host) => host.stats),
      total: { requests, bytes, failures, statuses: { ...statuses } },
    };
  }

  async close(): Promise<void> {
    for (const host of this.#hosts.values()) host.close();
    this.#total.close();
    await Promise.all([...this.#backEnds.values()].map((backEnd) => backEnd.close()));
    await this.#http.close();
  }

  /** Throws SkimmerError `unsupported_scheme`. */
  #backEnd(url: string): Origin {
    const { protocol } = new URL(url);
    const known = protocol === "http:" || protocol === "https:" ? this.#http : this.#backEnds.get(protocol);
    if (known !== undefined) return known;
    const opened = this.#open(protocol, url);
    this.#backEnds.set(protocol, opened);
    return opened;
  }

  #open(protocol: string, url: string): Origin {
    const http = this.#http;
    switch (protocol) {
      case "file:":
        return openFileOrigin({ roots: this.#options.fileRoots ?? [] });
      case "s3:":
        return openS3Origin({ ...this.#options.s3, http });
      case "hdfs:":
      case "webhdfs:":
      case "swebhdfs:":
        return openHdfsOrigin({ ...this.#options.hdfs, http });
      default:
        throw new SkimmerError("unsupported_scheme", `cannot fetch ${url}: the scheme ${protocol} is not supported`);
    }
  }

  #host(url: string): OriginHost {
    const name = hostName(url);
    const host = this.#hosts.get(name) ?? this.#makeHost(name);
    this.#hosts.delete(name);
    this.#hosts.set(name, host);
    return host;
  }

  #makeHost(name: string): OriginHost {
    const idlest = this.#hosts.size < MOST_HOSTS ? undefined : [...this.#hosts].find(([, host]) => host.idle);
    if (idlest !== undefined) this.#hosts.delete(idlest[0]);
    return new OriginHost({ host: name, clock: realClock, random: Math.random, limits: this.#limits, total: this.#total });
  }
}

/** What counts as one origin: host and port, or the bucket. */
function hostName(url: string): string {
  const { protocol, host } = new URL(url);
  if (protocol === "s3:") return `s3://${host}`;
  return protocol === "file:" ? "file://" : host;
}

/** How long to wait before the probe is tried again; undefined: its failure stands. */
function probeWaitMs(error: unknown, tries: number): number | undefined {
  if (!(error instanceof SkimmerError) || !error.retriable || error.code === "origin_unreachable") return undefined;
  const isBusy = error instanceof OriginStatusError && error.isBusy;
  // a status is the origin's word; a broken connection may be an old one that it had closed meanwhile
  if (error.status !== undefined && !isBusy) return undefined;
  const waitMs = retryDelayMs({ tries, retryAfterMs: isBusy ? error.retryAfterMs : undefined }, Math.random);
  return waitMs <= MOST_PROBE_WAIT_MS ? waitMs : undefined;
}

function withoutUndefined(limits: OriginLimits): OriginLimits {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

function checkLimits(limits: Required<OriginLimits>): Required<OriginLimits> {
  const { connectionsPerHost, bytesPerSecond, hostBytesPerSecond } = limits;
  if (!Number.isInteger(connectionsPerHost) || connectionsPerHost < 1 || connectionsPerHost > MOST_CONNECTIONS)
    throw new SkimmerError(
      "bad_request",
      `${connectionsPerHost} connections per origin host: give a whole number from 1 to ${MOST_CONNECTIONS}`,
    );
  for (const rate of [bytesPerSecond, hostBytesPerSecond])
    if (!Number.isFinite(rate) || rate < 0) throw new SkimmerError("bad_request", `${rate} is no rate in bytes per second`);
  return limits;
}
