/**
 * `POST /api/v1/reports` and `GET /api/v1/bans`: hosts tell of peers that they leave alone. Parses, calls, formats.
 *
 * A report counts only where reporter and reported are in the swarm that it is about. The reporter is there at the address that he calls from, or
 * at the one that he advertises, which he proves as in an announce (host-claims.ts). His voice is that of the address that he calls from in any
 * case: a claim is had for the asking by whoever may register, and must not make him many, nor somebody else.
 */
import { isIP } from "node:net";
import type Router from "@koa/router";
import type { Context } from "koa";
import { plainAddress } from "../system/addresses.ts";
import type { Clock } from "../system/clock.ts";
import { type InfoHash, type PeerId, parseInfoHash, parsePeerId } from "../torrents/ids.ts";
import { fieldReader, type JsonObject } from "../torrents/parse-fields.ts";
import { type GoodPeer, MOST_REPORTS, type Offence } from "../torrents/task-api.ts";
import type { HostClaims } from "./announce/host-claims.ts";
import type { PeerStanding } from "./peer-standing.ts";
import { addressText } from "./swarm/address-bytes.ts";
import { type Ask, hashKey, makeAsk } from "./swarm/ask.ts";
import type { SwarmGroup } from "./swarm/swarm-group.ts";
import type { SwarmStore } from "./swarm/swarm-store.ts";

const OFFENCES: readonly string[] = ["bad_block", "suspect_piece", "bad_record", "protocol", "refused", "stalled"] satisfies Offence[];
const MOST_REASON = 200;
const MOST_CLAIM = 200;
const read = fieldReader("bad_request", "reports");

export interface ReportRoutesOptions {
  readonly swarms: SwarmStore;
  readonly standing: PeerStanding;
  readonly claims: HostClaims;
  readonly clock: Clock;
  readonly readJson: (request: Context["req"]) => Promise<unknown>;
}

/** Who tells. */
export interface Reporter {
  /** As seen: whose voice it is. */
  readonly address: string;
  /** Where others are told that it is, proven; undefined: at `address`. */
  readonly advertised?: string;
}

export interface ParsedReport {
  readonly infoHash: InfoHash;
  readonly host: string;
  readonly port: number;
  readonly offence: Offence;
  readonly reason: string;
}

export function addReportRoutes(router: Router, options: ReportRoutesOptions): void {
  const { swarms, standing, claims, clock, readJson } = options;
  router.post("/api/v1/reports", async (context) => {
    const body = await readJson(context.req);
    const [reports, good] = [parseReports(body), parseGood(body)];
    const reporter = { address: plainAddress(context.req.socket.remoteAddress ?? ""), advertised: advertisedBy(body, claims) };
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

/** The address that the reporter claims, where the claim is good: what he cannot prove is not there. Throws SkimmerError `bad_request`. */
export function advertisedBy(body: unknown, claims: HostClaims): string | undefined {
  const { reporter } = read.object(body, "body");
  if (reporter === undefined) return undefined;
  const { id, claim } = read.object(reporter, "reporter");
  if (claim === undefined) return undefined;
  const peer = parsePeerId(read.text(id, "reporter.id", 40)) ?? read.fail("reporter.id", "40 hex digits");
  return claims.addressOf(peer, read.text(claim, "reporter.claim", MOST_CLAIM));
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
export function takeReport(report: ParsedReport, reporter: Reporter, to: Weighing): void {
  const concerned = whoIsMeant(report, reporter, to);
  if (concerned === undefined) return;
  const { group, target, name } = concerned;
  const others = group.addresses(target);
  const { offence, reason } = report;
  if (to.standing.report({ offence, reason, reporter: reporter.address, target: name, others }, to.nowMs)) group.setBanned(target, true);
}

/** Counts one good word, which shows with the peer's next announce. */
export function takePraise(peer: GoodPeer, reporter: Reporter, to: Weighing): void {
  const concerned = whoIsMeant(peer, reporter, to);
  if (concerned !== undefined) to.standing.praise({ reporter: reporter.address, target: concerned.name }, to.nowMs);
}

interface Concerned {
  readonly group: SwarmGroup;
  readonly target: Ask;
  /** As the standing knows it: an IPv6 address has many spellings. */
  readonly name: string;
}

/** Undefined where it does not count: seeders of the cluster are no matter of opinion, and strangers have none. */
function whoIsMeant(peer: GoodPeer, reporter: Reporter, { swarms }: Weighing): Concerned | undefined {
  const group = swarms.find(hashKey(peer.infoHash))?.group;
  const target = askAt(peer, peer.host, peer.port);
  if (group === undefined || target === undefined) return undefined;
  const hosts = [reporter.address, reporter.advertised].filter((host) => host !== undefined);
  const places = hosts.map((host) => askAt(peer, host, 1)).filter((ask) => ask !== undefined);
  const isOfItself = places.some(({ address }) => Buffer.compare(address, target.address) === 0);
  if (isOfItself || !places.some((ask) => group.hasAddress(ask)) || !group.isOpenToReports(target)) return undefined;
  return { group, target, name: `${addressText(target.address, 0, target.v6)} ${target.port}` };
}

function askAt({ infoHash }: GoodPeer, ip: string, port: number): Ask | undefined {
  return makeAsk({ infoHash, peerId: "00".repeat(20) as PeerId, ip, port });
}
