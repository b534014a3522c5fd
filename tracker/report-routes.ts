/**
 * `POST /api/v1/reports` and `GET /api/v1/bans`: hosts tell of peers that they leave alone. Parses, calls, formats.
 *
 * A report counts only where reporter and reported are in the swarm that it is about, the reporter at the address that he calls from.
 */
import { isIP } from "node:net";
import type Router from "@koa/router";
import type { Context } from "koa";
import { plainAddress } from "../system/addresses.ts";
import type { Clock } from "../system/clock.ts";
import { type InfoHash, type PeerId, parseInfoHash } from "../torrents/ids.ts";
import { fieldReader } from "../torrents/parse-fields.ts";
import { MOST_REPORTS, type Offence } from "../torrents/task-api.ts";
import type { PeerStanding } from "./peer-standing.ts";
import { type Ask, hashKey, makeAsk } from "./swarm/ask.ts";
import type { SwarmStore } from "./swarm/swarm-store.ts";

const OFFENCES: readonly string[] = ["bad_block", "suspect_piece", "bad_record", "protocol", "refused", "stalled"] satisfies Offence[];
const MOST_REASON = 200;
const read = fieldReader("bad_request", "reports");

export interface ReportRoutesOptions {
  readonly swarms: SwarmStore;
  readonly standing: PeerStanding;
  readonly clock: Clock;
  readonly readJson: (request: Context["req"]) => Promise<unknown>;
}

export interface ParsedReport {
  readonly infoHash: InfoHash;
  readonly host: string;
  readonly port: number;
  readonly offence: Offence;
  readonly reason: string;
}

export function addReportRoutes(router: Router, options: ReportRoutesOptions): void {
  const { swarms, standing, clock, readJson } = options;
  router.post("/api/v1/reports", async (context) => {
    const reports = parseReports(await readJson(context.req));
    const reporter = plainAddress(context.req.socket.remoteAddress ?? "");
    for (const report of reports) takeReport(report, reporter, { swarms, standing, nowMs: clock.nowMs() });
    context.status = 204;
  });
  router.get("/api/v1/bans", (context) => {
    context.body = { bans: standing.bans(clock.nowMs()) };
  });
}

/** Throws SkimmerError `bad_request`. */
export function parseReports(body: unknown): ParsedReport[] {
  const reports = read.list(read.object(body, "body").reports, "reports", MOST_REPORTS);
  return reports.map((value, index) => parseReport(value, `reports[${index}]`));
}

function parseReport(value: unknown, field: string): ParsedReport {
  const report = read.object(value, field);
  const peer = read.object(report.peer, `${field}.peer`);
  const host = plainAddress(read.text(peer.host, `${field}.peer.host`, 64));
  const offence = read.text(report.offence, `${field}.offence`, 32);
  return {
    infoHash: parseInfoHash(read.text(report.infoHash, `${field}.infoHash`, 40)) ?? read.fail(`${field}.infoHash`, "40 hex digits"),
    host: isIP(host) === 0 ? read.fail(`${field}.peer.host`, "an IP address") : host,
    port: read.integer(peer.port, `${field}.peer.port`, { least: 1, most: 65535 }),
    offence: OFFENCES.includes(offence) ? (offence as Offence) : read.fail(`${field}.offence`, `one of ${OFFENCES.join(", ")}`),
    reason: read.text(report.reason, `${field}.reason`, 2000).slice(0, MOST_REASON),
  };
}

/** Weighs one report; a ban takes the peer out of hand-outs at once. */
export function takeReport(
  report: ParsedReport,
  reporter: string,
  to: { readonly swarms: SwarmStore; readonly standing: PeerStanding; readonly nowMs: number },
): void {
  const group = to.swarms.find(hashKey(report.infoHash))?.group;
  const target = askAt(report, report.host, report.port);
  const from = askAt(report, reporter, 1);
  if (group === undefined || target === undefined || from === undefined || report.host === reporter) return;
  const others = group.addresses(target);
  // seeders of the cluster are no matter of opinion, and strangers have none
  if (!group.hasAddress(from) || !group.isOpenToReports(target)) return;
  const { infoHash: _infoHash, host, port, ...what } = report;
  if (to.standing.report({ ...what, reporter, target: `${host} ${port}`, others }, to.nowMs)) group.setBanned(target, true);
}

function askAt({ infoHash }: ParsedReport, ip: string, port: number): Ask | undefined {
  return makeAsk({ infoHash, peerId: "00".repeat(20) as PeerId, ip, port });
}
