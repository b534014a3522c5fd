/**
 * What hosts and seeders told of their work, added up: who does what now, and where all bytes came from. Decides.
 *
 * Hosts tell counters that begin with 0 whenever a torrent is opened; what is added up is their growth, so that a host that restarts, or tells
 * something twice, counts nothing twice. A host that was at work before this supernode was counts from its first report on. Nobody can prove his
 * figures: growth is bounded by what a network card could carry. Invariant: a peer id belongs to the address that told first, as long as it is heard
 * of; every map here has a limit, the longest silent goes.
 */
import type { StatusReport, TaskStatus } from "../../torrents/host-report.ts";
import type { InfoHash, PeerId, TaskId } from "../../torrents/ids.ts";
import { BYTE_ORIGINS, type ByteTotals, type TaskBytes, type TotalsBook } from "./totals-book.ts";

const MOST_HOSTS = 20_000;
const MOST_TASKS_PER_HOST = 512;
/** More behind one address are not kept: he could push all others out. */
const MOST_PER_ADDRESS = 1000;
/** Reports a second that are asked for, however many hosts there are. */
const REPORTS_PER_SECOND = 150;
const LEAST_NEXT_S = 2;
const MOST_NEXT_S = 300;
/** A host is forgotten after so long, or three times the interval that it was told. */
const SILENT_MS = 90_000;
/** Figures count as of the present this much longer than until the next report, and at least so long. */
const LATE_FACTOR = 2.5;
const LEAST_LATE_MS = 10_000;
/** 200 Gbit/s. */
const MOST_BYTES_PER_SECOND = 25e9;

/** One task at one host, as told last. */
export interface HostTask {
  status: TaskStatus;
  seenMs: number;
}

export interface Host {
  readonly peerId: PeerId;
  readonly role: "peer" | "seeder";
  /** As seen. */
  readonly address: string;
  port: number;
  name: string;
  version: string;
  idc: string;
  location: string;
  readonly startedMs: number;
  seenMs: number;
  nextS: number;
  disk: StatusReport["disk"] | undefined;
  /** Bytes per second that came in, of late, by where they came from. */
  rates: ByteTotals;
  /** All that it told since it is heard of: received, by where it came from, and sent. */
  readonly account: ByteTotals & { uploaded: number };
  readonly tasks: Map<TaskId, HostTask>;
}

/** Who reports. */
export interface Reporter {
  readonly peerId: PeerId;
  readonly role: "peer" | "seeder";
  readonly address: string;
  readonly port: number;
  readonly name: string;
  readonly version: string;
  readonly idc: string;
  readonly location: string;
  readonly uptimeSeconds: number;
  readonly whole: boolean;
  readonly disk?: StatusReport["disk"];
}

export class HostBook {
  readonly totals: TotalsBook;
  readonly #hosts = new Map<PeerId, Host>();
  /** How many there are at each address. */
  readonly #addresses = new Map<string, number>();
  readonly #taskOf: (infoHash: InfoHash) => TaskId | undefined;
  readonly #startMs: number;

  constructor(options: { taskOf: (infoHash: InfoHash) => TaskId | undefined; totals: TotalsBook; startMs: number }) {
    this.#taskOf = options.taskOf;
    this.totals = options.totals;
    this.#startMs = options.startMs;
  }

  /** The longest silent first. */
  get hosts(): IterableIterator<Host> {
    return this.#hosts.values();
  }

  get size(): number {
    return this.#hosts.size;
  }

  find(peerId: PeerId): Host | undefined {
    return this.#hosts.get(peerId);
  }

  /** Seconds until a host's next report. */
  get nextSeconds(): number {
    return Math.min(MOST_NEXT_S, Math.max(LEAST_NEXT_S, Math.ceil(this.#hosts.size / REPORTS_PER_SECOND)));
  }

  /** Takes a report in; false where the host has to tell everything first. */
  take(reporter: Reporter, statuses: readonly TaskStatus[], nowMs: number): boolean {
    this.expire(nowMs);
    const known = this.#hosts.get(reporter.peerId);
    if (known === undefined && !reporter.whole) return false;
    if (known === undefined && (this.#addresses.get(reporter.address) ?? 0) >= MOST_PER_ADDRESS) return true;
    if (known !== undefined && (known.address !== reporter.address || known.role !== reporter.role)) return true;
    const host = known ?? newHost(reporter, nowMs);
    const elapsedMs = nowMs - host.seenMs;
    const wasBefore = reporter.whole && host.startedMs < this.#startMs;
    const grown: ByteTotals = { origin: 0, seeder: 0, peers: 0 };
    const mostBytes = (Math.max(elapsedMs, LEAST_NEXT_S * 1000) / 1000) * MOST_BYTES_PER_SECOND;
    for (const status of statuses) {
      const id = this.#taskOf(status.infoHash);
      if (id === undefined) continue;
      const before = host.tasks.get(id);
      const growth = growthOf(before?.status, status, mostBytes);
      host.tasks.delete(id);
      host.tasks.set(id, { status, seenMs: nowMs });
      if (host.tasks.size > MOST_TASKS_PER_HOST) host.tasks.delete(host.tasks.keys().next().value as TaskId);
      host.account.uploaded += growth.uploaded;
      for (const source of BYTE_ORIGINS) host.account[source] += growth[source];
      if (before === undefined && wasBefore) continue;
      this.totals.add({ task: id, role: host.role, growth });
      for (const source of BYTE_ORIGINS) grown[source] += growth[source];
    }
    if (known !== undefined) host.rates = ratesOf(grown, elapsedMs, host, nowMs);
    this.#update(host, reporter, nowMs);
    return true;
  }

  /** Its link ended, or it is silent. */
  remove(peerId: PeerId): void {
    const host = this.#hosts.get(peerId);
    if (host === undefined) return;
    this.#hosts.delete(peerId);
    const left = (this.#addresses.get(host.address) ?? 1) - 1;
    if (left > 0) this.#addresses.set(host.address, left);
    else this.#addresses.delete(host.address);
  }

  /** Forgets who is silent for too long. */
  expire(nowMs: number): void {
    for (const [peerId, host] of this.#hosts) {
      // the interval of those before may be longer: they are in the order of their last report
      if (nowMs - host.seenMs <= SILENT_MS) return;
      if (nowMs - host.seenMs > Math.max(SILENT_MS, 3000 * host.nextS)) this.remove(peerId);
    }
  }

  /** What all hosts receive now, by where it comes from; `fetched`: what seeders read from origins. */
  rates(nowMs: number): ByteTotals & { readonly fetched: number } {
    const sum = { origin: 0, seeder: 0, peers: 0, fetched: 0 };
    for (const host of this.#hosts.values()) {
      if (!isCurrent(host, host.seenMs, nowMs)) continue;
      if (host.role === "seeder") {
        sum.fetched += host.rates.origin;
        continue;
      }
      for (const source of BYTE_ORIGINS) sum[source] += host.rates[source];
    }
    return sum;
  }

  #update(host: Host, reporter: Reporter, nowMs: number): void {
    const { port, name, version, idc, location, disk } = reporter;
    Object.assign(host, { port, name, version, idc, location, disk, seenMs: nowMs, nextS: this.nextSeconds });
    if (!this.#hosts.delete(host.peerId)) this.#addresses.set(host.address, (this.#addresses.get(host.address) ?? 0) + 1);
    this.#hosts.set(host.peerId, host);
    if (this.#hosts.size > MOST_HOSTS) this.remove(this.#hosts.keys().next().value as PeerId);
  }
}

/** Whether what was told then is still of the present. */
export function isCurrent(host: Host, seenMs: number, nowMs: number): boolean {
  return nowMs - seenMs <= Math.max(LEAST_LATE_MS, host.nextS * 1000 * LATE_FACTOR);
}

function newHost(reporter: Reporter, nowMs: number): Host {
  const { peerId, role, address, port, name, version, idc, location, disk, uptimeSeconds } = reporter;
  const about = { peerId, role, address, port, name, version, idc, location, disk, startedMs: nowMs - uptimeSeconds * 1000 };
  const rates = { origin: 0, seeder: 0, peers: 0 };
  return { ...about, seenMs: nowMs, nextS: LEAST_NEXT_S, rates, account: { ...rates, uploaded: 0 }, tasks: new Map() };
}

/** Counters that fell begin anew: the torrent was opened again. */
function growthOf(before: TaskStatus | undefined, now: TaskStatus, mostBytes: number): TaskBytes {
  const reopened = before !== undefined && BYTE_ORIGINS.some((source) => now.from[source] < before.from[source]);
  const grow = (value: number, earlier: number | undefined): number =>
    Math.min(mostBytes, reopened || earlier === undefined || earlier > value ? value : value - earlier);
  return {
    origin: grow(now.from.origin, before?.from.origin),
    seeder: grow(now.from.seeder, before?.from.seeder),
    peers: grow(now.from.peers, before?.from.peers),
    uploaded: grow(now.uploadedBytes, before?.uploadedBytes),
  };
}

/** Growth over the time in which it came. A host that was silent for longer says itself how fast it is: nobody knows since when. */
function ratesOf(grown: ByteTotals, elapsedMs: number, host: Host, nowMs: number): ByteTotals {
  if (elapsedMs <= 0) return host.rates;
  const all = grown.origin + grown.seeder + grown.peers;
  let own = 0;
  for (const { status, seenMs } of host.tasks.values()) if (seenMs === nowMs) own += status.downloadBytesPerSecond;
  const isLate = !isCurrent(host, host.seenMs, nowMs);
  const seconds = isLate ? (own > 0 ? all / own : LEAST_LATE_MS / 1000) : elapsedMs / 1000;
  const rate = (bytes: number): number => (bytes === 0 ? 0 : Math.round(bytes / seconds));
  return { origin: rate(grown.origin), seeder: rate(grown.seeder), peers: rate(grown.peers) };
}
