/**
 * The stats page's part of a running supernode: takes in what hosts and seeders tell, samples the traffic, and owns the event streams. Drives.
 */
import type { Clock } from "../../system/clock.ts";
import type { Logger } from "../../system/logger.ts";
import type { HostReport, HostReportAnswer, StatusReport } from "../../torrents/host-report.ts";
import type { PeerId } from "../../torrents/ids.ts";
import { isSeeder } from "../../torrents/peer-id.ts";
import type { PeerStanding } from "../peer-standing.ts";
import type { LinkedSeeder, SeederRegistry } from "../seeder-registry.ts";
import type { SwarmStore } from "../swarm/swarm-store.ts";
import type { TaskTable } from "../task-table.ts";
import { EventStreams } from "./event-streams.ts";
import { HostBook } from "./host-book.ts";
import { SAMPLE_MS, Throughput } from "./throughput.ts";
import { TotalsFile } from "./totals-file.ts";
import type { ViewParts } from "./view-parts.ts";

export interface PagesOptions {
  /** Where totals are kept. */
  readonly path: string;
  readonly tasks: TaskTable;
  readonly swarms: SwarmStore;
  readonly seeders: SeederRegistry;
  readonly standing: PeerStanding;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Pages implements AsyncDisposable {
  readonly parts: ViewParts;
  readonly streams: EventStreams;
  readonly clock: Clock;
  readonly #totals: TotalsFile;
  readonly #timer: NodeJS.Timeout;

  private constructor(options: PagesOptions, totals: TotalsFile) {
    const { tasks, swarms, seeders, standing, clock, logger } = options;
    const taskOf: ConstructorParameters<typeof HostBook>[0]["taskOf"] = (infoHash) => tasks.find(infoHash)?.task.id;
    const book = new HostBook({ taskOf, totals: totals.book, startMs: clock.nowMs() });
    this.clock = clock;
    this.parts = { tasks, swarms, seeders, standing, book, throughput: new Throughput(), wallOffsetMs: Date.now() - clock.nowMs() };
    this.streams = new EventStreams({ logger });
    this.#totals = totals;
    this.#timer = setInterval(this.#sample, SAMPLE_MS);
    this.#timer.unref();
  }

  /** Brings the totals of the last run back. Never rejects. */
  static async open(options: PagesOptions): Promise<Pages> {
    const { path, logger } = options;
    return new Pages(options, await TotalsFile.open({ path, wallMs: Date.now(), logger }));
  }

  /** A daemon at that address told of its work. */
  takeReport(report: HostReport, address: string): HostReportAnswer {
    const { peer, name, version, uptimeSeconds, whole, tasks } = report;
    const { book } = this.parts;
    const { id: peerId, port, idc = "", location = "" } = peer;
    const reporter = { peerId, role: "peer", address, port, name, version, idc, location, uptimeSeconds, whole } as const;
    // seeders have a link, which proves who they are
    const known = isSeeder(peerId) || book.take(reporter, tasks, this.clock.nowMs());
    return { nextSeconds: book.nextSeconds, whole: !known };
  }

  /** A linked seeder told of its work. */
  takeStatus(status: StatusReport, { peerId, host: address, port }: LinkedSeeder): void {
    const { uptimeSeconds, whole, disk, tasks } = status;
    const about = { peerId, role: "seeder", address, port, name: address, version: "", idc: "", location: "" } as const;
    this.parts.book.take({ ...about, uptimeSeconds, whole, disk }, tasks, this.clock.nowMs());
  }

  /** A seeder's link ended. */
  seederGone(peerId: PeerId): void {
    this.parts.book.remove(peerId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.streams[Symbol.dispose]();
    await this.#totals[Symbol.asyncDispose]();
  }

  readonly #sample = (): void => {
    const { book, throughput, wallOffsetMs } = this.parts;
    const nowMs = this.clock.nowMs();
    book.expire(nowMs);
    throughput.add({ atMs: Math.round(nowMs + wallOffsetMs), ...book.rates(nowMs) });
  };
}
