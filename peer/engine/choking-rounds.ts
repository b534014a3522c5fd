/**
 * Chokes and unchokes the peers of one torrent as choker.ts decides, and remembers what that needs to know of each. Drives.
 *
 * A round is held when a peer can get a place, and a few times a second while some wait: a peer that says over and over that it is and is
 * not interested has to wait for its place each time, and costs no more rounds than that. Invariant: what a link was told is what the last round chose.
 */
import { type ChokeCandidate, chooseUnchoked, MOST_OUR_PLACES, STANDARD_PLACES, seedPlaces } from "./choker.ts";
import type { PeerLink } from "./peer-link.ts";
import { RateMeter } from "./rate-meter.ts";
import type { SwarmState } from "./swarm-state.ts";
import type { Uploader } from "./uploader.ts";

/** What a peer gave counts for so long. */
const GIFT_MS = 20_000;

interface Turn {
  /** Since when it has its place, or waits for one. */
  sinceMs: number;
  usedMs: number;
}

export class ChokingRounds {
  readonly #state: SwarmState;
  readonly #uploader: Uploader;
  readonly #hides: boolean;
  readonly #turns = new WeakMap<PeerLink, Turn>();
  /** What we send, to all peers together. */
  readonly #rate = new RateMeter();
  /** `ours` of those that wait. */
  readonly #waiting = new Set<boolean>();
  /** Places for ours in the last round. */
  #places = MOST_OUR_PLACES;

  /** `hides`: what it has is shown to few peers at a time. */
  constructor(parts: { state: SwarmState; uploader: Uploader; hides: boolean }) {
    this.#state = parts.state;
    this.#uploader = parts.uploader;
    this.#hides = parts.hides;
  }

  /** A peer shook hands. */
  onJoined(link: PeerLink): void {
    const nowMs = this.#state.clock.nowMs();
    this.#turns.set(link, { sinceMs: nowMs, usedMs: nowMs });
    if (link.ours && this.#hasRoom(link)) this.#hold(nowMs);
  }

  /** It is interested, or it is not any more. */
  onInterest(link: PeerLink): void {
    if (!link.peerInterested) return this.onGone(link);
    if (!link.amChoking) return;
    const nowMs = this.#state.clock.nowMs();
    this.#turnOf(link).sinceMs = nowMs;
    if (this.#hasRoom(link)) this.#hold(nowMs);
    else this.#waiting.add(link.ours);
  }

  /** It asked for a block. */
  onRequest(link: PeerLink): void {
    this.#turnOf(link).usedMs = this.#state.clock.nowMs();
  }

  /** When it last asked for something. */
  usedMs(link: PeerLink): number {
    return this.#turnOf(link).usedMs;
  }

  /** It needs its place no more. */
  onGone(link: PeerLink): void {
    if (!link.amChoking && this.#waiting.has(link.ours)) this.#hold(this.#state.clock.nowMs());
  }

  /** Called a few times a second. */
  tick(nowMs: number): void {
    this.#rate.rateOfTotal(this.#uploader.uploadedBytes, nowMs);
    if (this.#waiting.size > 0 || this.#ourPlaces() < this.#places) this.#hold(nowMs);
  }

  /** Whether a round would give it a place: one is free, or held by somebody who does not want it. */
  #hasRoom({ ours }: PeerLink): boolean {
    let taken = 0;
    for (const link of this.#state.links) if (link.ours === ours && !link.amChoking && link.peerInterested) taken++;
    return taken < (ours ? this.#ourPlaces() : STANDARD_PLACES);
  }

  #ourPlaces(): number {
    const { clock, geometry, have } = this.#state;
    if (this.#hides || !have.isFull) return MOST_OUR_PLACES;
    return seedPlaces({ uploadBytesPerSecond: this.#rate.rate(clock.nowMs()), pieceLengthBytes: geometry.pieceLengthBytes });
  }

  #hold(nowMs: number): void {
    const { links } = this.#state;
    const candidates = [...links].map((link) => this.#candidate(link, nowMs));
    this.#places = this.#ourPlaces();
    const chosen = chooseUnchoked(candidates, { places: this.#places, nowMs });
    this.#waiting.clear();
    for (const link of links) {
      const choking = !chosen.has(link);
      if (choking && link.peerInterested) this.#waiting.add(link.ours);
      if (choking === link.amChoking) continue;
      this.#turnOf(link).sinceMs = nowMs;
      // the choke goes ahead: refusals of an unchoking peer would look like lies
      link.setChoking(choking);
      if (choking) this.#uploader.onChoke(link);
    }
  }

  #candidate(link: PeerLink, nowMs: number): ChokeCandidate<PeerLink> {
    const turn = this.#turnOf(link);
    if (link.wanted.length > 0) turn.usedMs = nowMs;
    const isGiving = !link.snubbed && nowMs - link.lastBlockMs < GIFT_MS;
    return {
      peer: link,
      ours: link.ours,
      interested: link.peerInterested,
      givesBytesPerSecond: isGiving ? link.depth.bytesPerSecond : 0,
      placeSinceMs: link.amChoking ? undefined : turn.sinceMs,
      usedMs: turn.usedMs,
      waitsSinceMs: turn.sinceMs,
    };
  }

  #turnOf(link: PeerLink): Turn {
    let turn = this.#turns.get(link);
    if (turn === undefined) {
      const nowMs = this.#state.clock.nowMs();
      turn = { sinceMs: nowMs, usedMs: nowMs };
      this.#turns.set(link, turn);
    }
    return turn;
  }
}
