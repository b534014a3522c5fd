/**
 * Where the next bytes of a download are to come from: the swarm, the origin, or nowhere any more. Decides.
 *
 * Goes by progress, not by a fixed time: a swarm that brings something is left alone. Reading the origin from a host is
 * the last resort, since sparing the origin is the whole point; giving up comes after that.
 */

/** No peer could be connected to for this long: nobody is there. */
export const NO_CONNECTION_MS = 3_000;
/** Peers are connected, yet nothing has come since the start: they may wait for the origin's first byte themselves. */
export const FIRST_BYTES_MS = 8_000;
/** Nothing has come for this long in the middle of a download. */
export const STALL_MS = 5_000;
/** After a read of the origin the next one waits this long. */
export const ORIGIN_RETRY_MS = 5_000;
/** With nothing from anywhere for this long the download fails. */
export const GIVE_UP_MS = 30_000;
/** The same for somebody else's torrent: its trackers, asked once a minute by a download without peers, get a second question. */
export const PATIENT_GIVE_UP_MS = 90_000;
/** The swarm must have brought everything for this long before the origin is left alone again. */
export const SWARM_BACK_MS = 3_000;

export interface SourceFacts {
  readonly nowMs: number;
  readonly startedAtMs: number;
  /** When bytes last came, from anywhere; undefined: not yet. */
  readonly lastBytesAtMs: number | undefined;
  /** Since when the swarm brings bytes without a pause; undefined: it does not just now. */
  readonly swarmFlowingSinceMs: number | undefined;
  readonly connections: number;
  /** Connected peers that hold every piece. */
  readonly seeds: number;
  /** False where every waiting request forbids it. */
  readonly originAllowed: boolean;
  readonly originRunning: boolean;
  /** When the last read of the origin ended, well or not; undefined: there was none. */
  readonly originEndedAtMs: number | undefined;
  /** How long one piece may take, at the lowest rate that counts as progress. */
  readonly slowestPieceMs: number;
  /** Why there is no swarm to wait for; undefined: there is one. */
  readonly alone: string | undefined;
  /** Somebody else's torrent, at trackers that are not ours. */
  readonly foreign: boolean;
}

export type SourceDecision =
  | { readonly kind: "keep" }
  | { readonly kind: "read_origin"; readonly reason: string }
  | { readonly kind: "leave_origin" }
  | { readonly kind: "give_up" };

const KEEP: SourceDecision = { kind: "keep" };

/** What to do now; asked a few times a second. */
export function decideSource(facts: SourceFacts): SourceDecision {
  if (facts.originRunning) return swarmIsBack(facts) ? { kind: "leave_origin" } : KEEP;
  const quietMs = facts.nowMs - (facts.lastBytesAtMs ?? facts.startedAtMs);
  const reason = reasonForOrigin(facts, quietMs);
  if (reason !== undefined && facts.originAllowed && mayTryOrigin(facts)) return { kind: "read_origin", reason };
  return quietMs >= Math.max(facts.foreign ? PATIENT_GIVE_UP_MS : GIVE_UP_MS, 2 * facts.slowestPieceMs) ? { kind: "give_up" } : KEEP;
}

function reasonForOrigin(facts: SourceFacts, quietMs: number): string | undefined {
  if (facts.alone !== undefined) return facts.alone;
  if (facts.connections === 0 && quietMs >= NO_CONNECTION_MS) return "no peer can be reached";
  const patienceMs = facts.lastBytesAtMs === undefined ? FIRST_BYTES_MS : STALL_MS;
  return quietMs >= Math.max(patienceMs, facts.slowestPieceMs) ? "the swarm makes no progress" : undefined;
}

function mayTryOrigin(facts: SourceFacts): boolean {
  return facts.originEndedAtMs === undefined || facts.nowMs - facts.originEndedAtMs >= ORIGIN_RETRY_MS;
}

function swarmIsBack(facts: SourceFacts): boolean {
  if (facts.alone !== undefined || facts.seeds === 0 || facts.swarmFlowingSinceMs === undefined) return false;
  return facts.nowMs - facts.swarmFlowingSinceMs >= SWARM_BACK_MS;
}
