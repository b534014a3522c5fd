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
import { fieldReader, type JsonObject } from "../torrents/parse-fields.ts";
import { type GoodPeer, MOST_REPORTS, type Offence } from "../torrents/task-api.ts";
import type { PeerStanding } from "./peer-standing.ts";
import { type Ask, hashKey, makeAsk } from "./swarm/ask.ts";
import type { SwarmGroup } from "./swarm/swarm-group.ts";
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
    const body = await readJson(context.req);
    const [reports, good] = [parseReports(body), parseGood(body)];
    const reporter = plainAddress(context.req.socket.remoteAddress ?? "");
    const to = { swarms, standing, nowMs: clock.nowMs() };
    for (const report of reports) takeReport(report, reporter, to);
    for (const peer of good) takePraise(peer, reporter, to);
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

/** From whom good pieces came. Throws SkimmerError `bad_request`. */
export function parseGood(body: unknown): GoodPeer[] {
  const { good } = read.object(body, "body");
  return (good === undefined ? [] : read.list(good, "good", MOST_REPORTS)).map((value, index) => {
    const peer = read.object(value, `good[${index}]`);
    return { infoHash: parseHash(peer.infoHash, `good[${index}]`), ...parsePeer(peer, `good[${index}]`) };
  });
}

function parseHash(value: unknown, field: string): InfoHash {
  return parseInfoHash(read.text(value, `${field}.infoHash`, 40)) ?? read.fail(`${field}.infoHash`, "40 hex digits");
}

function parsePeer(peer: JsonObject, field: string): { host: string; port: number } {
  const host = plainAddress(read.text(peer.host, `${field}.host`, 64));
  return {
    host: isIP(host) === 0 ? read.fail(`${field}.host`, "an IP address") : host,
    port: read.integer(peer.port, `${field}.port`, { least: 1, most: 65535 }),
  };
}

function parseReport(value: unknown, field: string): ParsedReport {
  const report = read.object(value, field);
  const offence = read.text(report.offence, `${field}.offence`, 32);
  return {
    infoHash: parseHash(report.infoHash, field),
    ...parsePeer(read.object(report.peer, `${field}.peer`), `${field}.peer`),
    offence: OFFENCES.includes(offence) ? (offence as Offence) : read.fail(`${field}.offence`, `one of ${OFFENCES.join(", ")}`),
    reason: read.text(report.reason, `${field}.reason`, 2000).slice(0, MOST_REASON),
  };
}

interface Weighing {
  readonly swarms: SwarmStore;
  readonly standing: PeerStanding;
  readonly nowMs: number;
}

/** Weighs one report; a ban takes the peer out of hand-outs at once. */
export function takeReport(report: ParsedReport, reporter: string, to: Weighing): void {
  const concerned = whoIsMeant(report, reporter, to);
  if (concerned === undefined) return;
  const { group, target } = concerned;
  const others = group.addresses(target);
  const { infoHash: _infoHash, host, port, ...what } = report;
  if (to.standing.report({ ...what, reporter, target: `${host} ${port}`, others }, to.nowMs)) group.setBanned(target, true);
}

/** Counts one good word, which shows with the peer's next announce. */
export function takePraise({ infoHash, host, port }: GoodPeer, reporter: string, to: Weighing): void {
  if (whoIsMeant({ infoHash, host, port }, reporter, to) !== undefined)
    to.standing.praise({ reporter, target: `${host} ${port}` }, to.nowMs);
}

/** Undefined where it does not count: seeders of the cluster are no matter of opinion, and strangers have none. */
function whoIsMeant(peer: GoodPeer, reporter: string, { swarms }: Weighing): { group: SwarmGroup; target: Ask } | undefined {
  const group = swarms.find(hashKey(peer.infoHash))?.group;
  const target = askAt(peer, peer.host, peer.port);
  const from = askAt(peer, reporter, 1);
  if (group === undefined || target === undefined || from === undefined || peer.host === reporter) return undefined;
  return group.hasAddress(from) && group.isOpenToReports(target) ? { group, target } : undefined;
}

function askAt({ infoHash }: GoodPeer, ip: string, port: number): Ask | undefined {
  return makeAsk({ infoHash, peerId: "00".repeat(20) as PeerId, ip, port });
}
