/**
 * Whether bytes come, from where, and how fast, as far as a download's counters tell. Decides: time is an argument.
 * Counters grow by whole pieces; the engine's own rate shows that something comes in between.
 */
import { RateMeter } from "../engine/rate-meter.ts";
import type { TorrentStats } from "../engine/types.ts";

/** A swarm pauses for this long at most and still counts as flowing. */
export const FLOW_PAUSE_MS = 1_500;

export class FlowWatch {
  /** When bytes last came, from anywhere; undefined: not yet. */
  lastBytesAtMs: number | undefined;
  /** Since when the swarm brings bytes without a pause; undefined: it does not just now. */
  flowingSinceMs: number | undefined;
  bytesPerSecond = 0;
  readonly #meter = new RateMeter();
  #lastSwarmAtMs = 0;
  #moved = 0;
  #swarmMoved = 0;

  /** A download begins with what it has. */
  begin(stats: Pick<TorrentStats, "from">): void {
    this.lastBytesAtMs = undefined;
    this.#moved = movedBytes(stats);
  }

  observe(stats: Pick<TorrentStats, "from" | "downloadBytesPerSecond">, nowMs: number): void {
    const moved = movedBytes(stats);
    const swarmMoved = stats.from.seeder + stats.from.peers;
    const comes = stats.downloadBytesPerSecond > 0;
    if (moved > this.#moved || comes) this.lastBytesAtMs = nowMs;
    if (swarmMoved > this.#swarmMoved || comes) {
      this.flowingSinceMs ??= nowMs;
      this.#lastSwarmAtMs = nowMs;
    } else if (nowMs - this.#lastSwarmAtMs > FLOW_PAUSE_MS) this.flowingSinceMs = undefined;
    this.#moved = moved;
    this.#swarmMoved = swarmMoved;
    this.bytesPerSecond = Math.round(this.#meter.rateOfTotal(moved, nowMs));
  }
}

function movedBytes({ from }: Pick<TorrentStats, "from">): number {
  return from.origin + from.seeder + from.peers;
}
