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
import { limitKey } from "../access/request-limits.ts";
import { BYTE_ORIGINS, type ByteTotals, type TaskBytes, type TotalsBook } from "./totals-book.ts";

const MOST_HOSTS = 20_000;
/** More than these are not kept of one host, and none of what follows is counted: it could be counted twice. */
const MOST_TASKS = { peer: 2048, seeder: 20_000 } as const;
/** Of all hosts together. */
const MOST_HELD_TASKS = 500_000;
const MOST_MAP_CHARACTERS = 64 * 1024 * 1024;
/** Hosts that went, whose counters are kept: one that comes back goes on where it was. */
const MOST_GONE = 5000;
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
  /** It has more tasks than are kept. */
  hasMore: boolean;
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
  readonly #gone = new Map<PeerId, Host>();
  /** Over all hosts, those that went included. */
  #heldTasks = 0;
  #mapCharacters = 0;

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
    const addressKey = limitKey(reporter.address);
    if (known === undefined && (this.#addresses.get(addressKey) ?? 0) >= MOST_PER_ADDRESS) return true;
    if (known !== undefined && (known.address !== reporter.address || known.role !== reporter.role)) return true;
    const host = known ?? this.#welcome(reporter, nowMs);
    const elapsedMs = nowMs - host.seenMs;
    const wasBefore = reporter.whole && host.startedMs < this.#startMs;
    const grown: ByteTotals = { origin: 0, seeder: 0, peers: 0 };
    const mostBytes = Math.floor((Math.max(elapsedMs, LEAST_NEXT_S * 1000) / 1000) * MOST_BYTES_PER_SECOND);
    for (const status of statuses) {
      const id = this.#taskOf(status.infoHash);
      if (id === undefined) continue;
      const before = host.tasks.get(id);
      const growth = growthOf(before?.status, status, mostBytes);
      const isCountable = before !== undefined || !(wasBefore || host.hasMore);
      this.#keep(host, id, { status, seenMs: nowMs });
      host.account.uploaded += growth.uploaded;
      for (const source of BYTE_ORIGINS) host.account[source] += growth[source];
      if (!isCountable) continue;
      this.totals.add({ task: id, role: host.role, growth });
      for (const source of BYTE_ORIGINS) grown[source] += growth[source];
    }
    if (known !== undefined) host.rates = ratesOf(grown, elapsedMs, host, nowMs);
    this.#update(host, reporter, nowMs);
    return true;
  }

  /** Its link ended, or it is silent. Its counters are kept for a while: it tells them again when it comes back. */
  remove(peerId: PeerId): void {
    const host = this.#hosts.get(peerId);
    if (host === undefined) return;
    this.#hosts.delete(peerId);
    const key = limitKey(host.address);
    const left = (this.#addresses.get(key) ?? 1) - 1;
    if (left > 0) this.#addresses.set(key, left);
    else this.#addresses.delete(key);
    for (const [id, task] of [...host.tasks]) this.#keep(host, id, { ...task, status: { ...task.status, pieces: undefined } });
    this.#gone.set(peerId, host);
    if (this.#gone.size > MOST_GONE) this.#forgetGone(this.#gone.keys().next().value as PeerId);
  }

  /** A host that is heard of for the first time, or again. */
  #welcome(reporter: Reporter, nowMs: number): Host {
    const host = newHost(reporter, nowMs);
    const gone = this.#gone.get(host.peerId);
    if (gone === undefined) return host;
    this.#gone.delete(host.peerId);
    return { ...host, tasks: gone.tasks, hasMore: gone.hasMore };
  }

  #forgetGone(peerId: PeerId): void {
    const gone = this.#gone.get(peerId);
    if (gone === undefined) return;
    this.#gone.delete(peerId);
    for (const id of [...gone.tasks.keys()]) this.#drop(gone, id);
  }

  /** Keeps what the host told last of the task, the latest last, as far as there is room. */
  #keep(host: Host, id: TaskId, task: HostTask): void {
    this.#drop(host, id);
    const most = MOST_TASKS[host.role];
    if (host.tasks.size >= most || this.#heldTasks >= MOST_HELD_TASKS) {
      host.hasMore = true;
      const oldest = host.tasks.keys().next().value;
      if (oldest === undefined) return;
      this.#drop(host, oldest);
    }
    const length = task.status.pieces?.length ?? 0;
    const fits = this.#mapCharacters + length <= MOST_MAP_CHARACTERS;
    host.tasks.set(id, fits ? task : { ...task, status: { ...task.status, pieces: undefined } });
    this.#heldTasks++;
    if (fits) this.#mapCharacters += length;
  }

  #drop(host: Host, id: TaskId): void {
    const task = host.tasks.get(id);
    if (task === undefined) return;
    host.tasks.delete(id);
    this.#heldTasks--;
    this.#mapCharacters -= task.status.pieces?.length ?? 0;
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
    const key = limitKey(host.address);
    if (!this.#hosts.delete(host.peerId)) this.#addresses.set(key, (this.#addresses.get(key) ?? 0) + 1);
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
  return { ...about, seenMs: nowMs, nextS: LEAST_NEXT_S, rates, account: { ...rates, uploaded: 0 }, tasks: new Map(), hasMore: false };
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
