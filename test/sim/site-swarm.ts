/**
 * A swarm of many hosts at a few sites, in rounds: the real swarm store hands the peers out, the rest is a model.
 *
 * A host asks, piece by piece, any of its neighbours that has what it lacks, whichever site that is in: what stays within a site does so
 * because of the hand-outs alone. A host sends UPLOADS pieces a round, a site's line to the others carries `linePieces`.
 */
import type { InfoHash, PeerId } from "../../torrents/ids.ts";
import { makeAsk } from "../../tracker/swarm/ask.ts";
import { SwarmStore } from "../../tracker/swarm/swarm-store.ts";

export interface SiteSwarmOptions {
  readonly sites: number;
  readonly hostsPerSite: number;
  readonly pieces: number;
  /** Pieces a round over a site's line, both ways together. */
  readonly linePieces: number;
  /** False: hosts say nothing of where they are, and their addresses have nothing in common. */
  readonly labels: boolean;
  readonly random: () => number;
}

export interface SiteSwarmResult {
  readonly rounds: number;
  readonly withinSite: number;
  readonly total: number;
  /** Most pieces that one host sent, as a multiple of the mean. */
  readonly hottest: number;
}

interface Host {
  readonly number: number;
  readonly site: number;
  readonly have: Uint8Array;
  count: number;
  readonly neighbours: Set<Host>;
  /** Left in this round. */
  uploads: number;
  sent: number;
}

const HASH = "ab".repeat(20) as InfoHash;
const UPLOADS = 4;
const REQUESTS = 4;
const WANTED = 50;
const ANNOUNCE_EVERY = 20;
const MOST_ROUNDS = 3000;

export function runSiteSwarm(options: SiteSwarmOptions): SiteSwarmResult {
  const { sites, hostsPerSite, pieces, linePieces, random } = options;
  const store = new SwarmStore({ expireMs: () => 1e9 });
  store.join({ live: HASH, finals: [] });
  const hosts = Array.from({ length: sites * hostsPerSite }, (_, number): Host => makeHost(number, number % sites, pieces));
  hosts[0].have.fill(1);
  hosts[0].count = pieces;
  const byPort = new Map(hosts.map((host) => [host.number + 1, host]));
  const result = { withinSite: 0, total: 0 };
  let round = 0;
  for (; round < MOST_ROUNDS && hosts.some(({ count }) => count < pieces); round++) {
    for (const host of hosts) {
      host.uploads = UPLOADS;
      if ((round + host.number) % ANNOUNCE_EVERY === 0 || round === 0) announce(store, host, { ...options, byPort, nowMs: round * 1000 });
    }
    const lines = new Array<number>(sites).fill(linePieces);
    for (const host of shuffled(hosts, random))
      for (let request = 0; request < REQUESTS; request++) {
        const from = ask(host, lines, random);
        if (from === undefined) continue;
        result.total++;
        if (from.site === host.site) result.withinSite++;
      }
  }
  const sent = hosts.map((host) => host.sent);
  return { rounds: round, ...result, hottest: Math.max(...sent) / (result.total / hosts.length) };
}

function makeHost(number: number, site: number, pieces: number): Host {
  return { number, site, have: new Uint8Array(pieces), count: 0, neighbours: new Set(), uploads: 0, sent: 0 };
}

function announce(
  store: SwarmStore,
  host: Host,
  options: SiteSwarmOptions & { readonly byPort: ReadonlyMap<number, Host>; readonly nowMs: number },
): void {
  const { labels, pieces, random, byPort, nowMs } = options;
  const request = makeAsk({
    infoHash: HASH,
    peerId: Buffer.from(`-SK0100-${String(host.number).padStart(12, "0")}`).toString("hex") as PeerId,
    // no two hosts share a network
    ip: `${1 + (host.number % 200)}.${Math.floor(host.number / 200)}.1.1`,
    port: host.number + 1,
    left: pieces - host.count,
    numwant: WANTED,
    site: labels ? store.sites.numberOf({ idc: "", location: ["net", `site${host.site}`] }) : 0,
  });
  const answer = request && store.announce(request, nowMs, random);
  for (const record of answer?.picked.subarray(0, answer.pickedCount) ?? []) {
    const other = byPort.get(answer?.table.port(record) ?? 0);
    if (other === undefined || other === host) continue;
    host.neighbours.add(other);
    other.neighbours.add(host);
  }
}

/** Asks any neighbour that can send a piece now; answers from whom it came. */
function ask(host: Host, lines: number[], random: () => number): Host | undefined {
  for (const from of shuffled([...host.neighbours], random)) {
    const far = from.site !== host.site;
    const piece = from.uploads === 0 ? -1 : missingPiece(host, from, random);
    if (piece < 0) continue;
    // the line is full: the request waits in it, and the place that it takes is not used for another
    if (far && (lines[from.site] === 0 || lines[host.site] === 0)) return undefined;
    from.uploads--;
    from.sent++;
    if (far) {
      lines[from.site]--;
      lines[host.site]--;
    }
    host.have[piece] = 1;
    host.count++;
    return from;
  }
  return undefined;
}

function missingPiece(host: Host, from: Host, random: () => number): number {
  const { length } = host.have;
  const start = Math.floor(random() * length);
  for (let step = 0; step < length; step++) {
    const piece = (start + step) % length;
    if (from.have[piece] === 1 && host.have[piece] === 0) return piece;
  }
  return -1;
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const copy = [...items];
  for (let at = copy.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [copy[at], copy[other]] = [copy[other], copy[at]];
  }
  return copy;
}
