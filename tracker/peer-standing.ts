/**
 * What the reports of hosts on each other come to: how good a peer's record is, and who is banned. Decides.
 *
 * Nobody can prove what another one sent him, so reports are voices: an address has one, whatever ids and ports it claims; it counts
 * less by the kind of offence, and the less the more peers its owner accuses; and it takes a quorum. So a liar bans nobody, and spoils his
 * own voice by trying. Invariant: voices and bans end by themselves; everything here has a limit, the oldest go.
 */
import type { Offence } from "../torrents/task-api.ts";
import { PeerPraise } from "./peer-praise.ts";
import { UNKNOWN_SHARE } from "./swarm/ask.ts";

const WEIGHT: Readonly<Record<Offence, number>> = {
  bad_block: 1,
  bad_record: 1,
  protocol: 0.5,
  suspect_piece: 0.3,
  refused: 0.2,
  stalled: 0.2,
};
/** Sum of weighted voices that bans. */
const BAN_WEIGHT = 1.5;
const LEAST_VOICES = 2;
const MOST_VOICES_NEEDED = 3;
const VOICE_MS = 10 * 60_000;
const FIRST_BAN_MS = 10 * 60_000;
const MOST_BAN_MS = 2 * 60 * 60_000;
/** Who accuses more peers than this within VOICE_MS is believed less with each. */
const CREDIBLE_ACCUSATIONS = 3;
const MOST_TARGETS = 10_000;
const MOST_VOICES = 100;
const MOST_REPORTERS = 10_000;

interface Voice {
  readonly weight: number;
  readonly atMs: number;
}

interface Target {
  readonly voices: Map<string, Voice>;
  bans: number;
  bannedUntilMs: number;
  reason: string;
}

export interface Accusation {
  /** Address of who reports, as seen. */
  readonly reporter: string;
  /** `ADDRESS PORT` of who is reported. */
  readonly target: string;
  readonly offence: Offence;
  readonly reason: string;
  /** Addresses in the swarm, that of the target apart. */
  readonly others: number;
}

export interface Ban {
  /** `ADDRESS PORT`. */
  readonly peer: string;
  readonly reason: string;
  readonly voices: number;
  readonly secondsLeft: number;
}

export interface Suspect {
  /** `ADDRESS PORT`. */
  readonly peer: string;
  /** Of the latest report. */
  readonly reason: string;
  readonly voices: number;
  /** How much of what it takes to ban it was said. */
  readonly share: number;
}

export class PeerStanding {
  readonly #targets = new Map<string, Target>();
  readonly #praise = new PeerPraise();
  /** Who accused whom, and when. */
  readonly #accusations = new Map<string, Map<string, number>>();

  /** Takes a report in; true where it led to a ban. */
  report(accusation: Accusation, nowMs: number): boolean {
    const { reporter, target: key, offence, reason, others } = accusation;
    const target = this.#targets.get(key) ?? { voices: new Map(), bans: 0, bannedUntilMs: 0, reason: "" };
    this.#targets.delete(key);
    this.#targets.set(key, target);
    if (this.#targets.size > MOST_TARGETS) this.#targets.delete(this.#targets.keys().next().value as string);
    this.#accuse(reporter, key, nowMs);
    dropOld(target.voices, nowMs);
    if (nowMs >= target.bannedUntilMs) target.reason = reason;
    if (target.voices.size >= MOST_VOICES && !target.voices.has(reporter)) return false;
    target.voices.set(reporter, { weight: Math.max(WEIGHT[offence], target.voices.get(reporter)?.weight ?? 0), atMs: nowMs });
    const needed = Math.max(LEAST_VOICES, Math.min(MOST_VOICES_NEEDED, Math.floor(others / 2) + 1));
    if (nowMs < target.bannedUntilMs || target.voices.size < needed || this.#weightOf(target) < BAN_WEIGHT) return false;
    target.bannedUntilMs = nowMs + Math.min(MOST_BAN_MS, FIRST_BAN_MS * 2 ** target.bans++);
    target.reason = reason;
    return true;
  }

  /** An address got good pieces from who is at `ADDRESS PORT`. */
  praise(voice: { readonly reporter: string; readonly target: string }, nowMs: number): void {
    this.#praise.add(voice, nowMs);
  }

  /** Success in per cent of who is at `ADDRESS PORT`, UNKNOWN_SHARE where nobody reported, undefined where it is banned. */
  of(target: () => string, nowMs: number): number | undefined {
    // where only standard clients are about: no text is made of the address then
    if (this.#targets.size === 0 && this.#praise.isEmpty) return UNKNOWN_SHARE;
    const key = target();
    const good = this.#praise.count(key, nowMs);
    const found = this.#targets.get(key);
    if (found === undefined) return good === 0 ? UNKNOWN_SHARE : 100;
    if (nowMs < found.bannedUntilMs) return undefined;
    // a ban that is over wipes the voices that led to it
    if (found.bannedUntilMs > 0 && [...found.voices.values()].every(({ atMs }) => atMs < found.bannedUntilMs)) found.voices.clear();
    dropOld(found.voices, nowMs);
    if (found.voices.size === 0) return good === 0 ? UNKNOWN_SHARE : 100;
    const share = Math.max(0, 1 - this.#weightOf(found) / BAN_WEIGHT);
    // each good voice makes up for a part of what the bad ones take, never for all of it
    return Math.round(100 * (1 - (1 - share) / (1 + good)));
  }

  /** Who is banned now. */
  bans(nowMs: number): Ban[] {
    return [...this.#targets]
      .filter(([, { bannedUntilMs }]) => nowMs < bannedUntilMs)
      .map(([peer, { reason, voices, bannedUntilMs }]) => ({
        peer,
        reason,
        voices: voices.size,
        secondsLeft: Math.ceil((bannedUntilMs - nowMs) / 1000),
      }));
  }

  /** Who was reported of late, and is not banned. */
  suspects(nowMs: number): Suspect[] {
    return [...this.#targets].flatMap(([peer, target]) => {
      const voices = [...target.voices.values()].filter(({ atMs }) => nowMs - atMs <= VOICE_MS).length;
      const share = Math.min(0.99, this.#weightOf(target) / BAN_WEIGHT);
      return nowMs < target.bannedUntilMs || voices === 0 ? [] : [{ peer, reason: target.reason, voices, share }];
    });
  }

  #weightOf({ voices }: Target): number {
    let sum = 0;
    for (const [reporter, { weight }] of voices) {
      const accused = this.#accusations.get(reporter)?.size ?? 1;
      sum += (weight * CREDIBLE_ACCUSATIONS) / Math.max(CREDIBLE_ACCUSATIONS, accused);
    }
    return sum;
  }

  #accuse(reporter: string, target: string, nowMs: number): void {
    const accused = this.#accusations.get(reporter) ?? new Map<string, number>();
    this.#accusations.delete(reporter);
    this.#accusations.set(reporter, accused);
    if (this.#accusations.size > MOST_REPORTERS) this.#accusations.delete(this.#accusations.keys().next().value as string);
    for (const [other, atMs] of accused) if (nowMs - atMs > VOICE_MS) accused.delete(other);
    accused.set(target, nowMs);
    if (accused.size > MOST_VOICES) accused.delete(accused.keys().next().value as string);
  }
}

function dropOld(voices: Map<string, Voice>, nowMs: number): void {
  for (const [reporter, { atMs }] of voices) if (nowMs - atMs > VOICE_MS) voices.delete(reporter);
}
