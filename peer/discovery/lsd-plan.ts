/**
 * When which torrent is announced on the local network, and what is answered to others (BEP 14). Decides.
 *
 * BEP 14 has everybody announce every five minutes. A download that lacks peers asks at once instead, and who hears it and has
 * something answers, after a random moment, unless enough others did before. So a search costs a handful of datagrams, however many hosts
 * there are. Invariants: a torrent leaves at most once in LEAST_GAP_MS; at most MOST_A_SECOND datagrams of others are read.
 */
import type { InfoHash } from "../../torrents/ids.ts";
import { MOST_HASHES } from "./lsd-words.ts";

export const REGULAR_MS = 5 * 60_000;
/** A download that lacks peers. */
export const STARVING_MS = 15_000;
export const LEAST_GAP_MS = 1_000;
export const ANSWER_WITHIN_MS = 500;
/** So many answers of others are enough; only hosts of ours mark theirs, and of those there may be thousands. */
export const ENOUGH_ANSWERS = 3;
const MOST_A_SECOND = 100;

interface Local {
  /** When it is due. */
  dueMs: number;
  sentMs: number;
  /** Answers of others since it was asked for. */
  answers: number;
  /** Due because somebody asked. */
  answering: boolean;
}

export class LsdPlan {
  readonly #torrents = new Map<InfoHash, Local>();
  #secondMs = Number.NEGATIVE_INFINITY;
  #thisSecond = 0;

  add(infoHash: InfoHash, nowMs: number): void {
    if (this.#torrents.has(infoHash)) return;
    this.#torrents.set(infoHash, { dueMs: nowMs, sentMs: Number.NEGATIVE_INFINITY, answers: 0, answering: false });
  }

  delete(infoHash: InfoHash): void {
    this.#torrents.delete(infoHash);
  }

  /** False: too much comes in, and this datagram is passed over. */
  mayRead(nowMs: number): boolean {
    if (nowMs - this.#secondMs >= 1000) {
      this.#secondMs = nowMs;
      this.#thisSecond = 0;
    }
    return ++this.#thisSecond <= MOST_A_SECOND;
  }

  /** Somebody else announced it. True where it is one of ours. `hasPieces`: we have something for him. */
  onHeard(infoHash: InfoHash, heard: { isAnswer: boolean; hasPieces: boolean; nowMs: number; random: number }): boolean {
    const local = this.#torrents.get(infoHash);
    if (local === undefined) return false;
    if (heard.isAnswer) local.answers++;
    else if (heard.hasPieces && !local.answering) {
      const answerMs = Math.max(heard.nowMs + heard.random * ANSWER_WITHIN_MS, local.sentMs + LEAST_GAP_MS);
      Object.assign(local, { answers: 0, answering: true, dueMs: Math.min(local.dueMs, answerMs) });
    }
    return true;
  }

  /** The download lacks peers. */
  hurry(infoHash: InfoHash, nowMs: number): void {
    const local = this.#torrents.get(infoHash);
    if (local !== undefined) local.dueMs = Math.min(local.dueMs, Math.max(nowMs, local.sentMs + STARVING_MS));
  }

  /** What is to be announced now, at most one datagram's worth of one kind; that is counted as sent. */
  take(nowMs: number): { readonly infoHashes: readonly InfoHash[]; readonly isAnswer: boolean } {
    const infoHashes: InfoHash[] = [];
    let isAnswer: boolean | undefined;
    for (const [infoHash, local] of this.#torrents) {
      if (infoHashes.length === MOST_HASHES) break;
      if (local.dueMs > nowMs || (isAnswer ?? local.answering) !== local.answering) continue;
      const answered = local.answering && local.answers >= ENOUGH_ANSWERS;
      if (!answered) {
        isAnswer = local.answering;
        local.sentMs = nowMs;
        infoHashes.push(infoHash);
      }
      Object.assign(local, { dueMs: nowMs + REGULAR_MS, answers: 0, answering: false });
    }
    return { infoHashes, isAnswer: isAnswer === true };
  }

  /** Milliseconds until take() has something; undefined: nothing is announced. */
  nextMs(nowMs: number): number | undefined {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const local of this.#torrents.values()) dueMs = Math.min(dueMs, local.dueMs);
    return dueMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, dueMs - nowMs);
  }
}
