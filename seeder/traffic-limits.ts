/**
 * The bounds on this seeder's traffic, in force at once when they change. Drives the engine's and the origins' limiters.
 */
import type { SharedOrigin } from "../origin/types.ts";
import type { Engine } from "../peer/engine/types.ts";
import type { SeederLimits } from "../torrents/task-api.ts";

export class TrafficLimits {
  readonly #engine: Pick<Engine, "setLimits">;
  readonly #origin: Pick<SharedOrigin, "setLimits">;
  #current: SeederLimits;

  constructor(parts: { engine: Pick<Engine, "setLimits">; origin: Pick<SharedOrigin, "setLimits">; limits: SeederLimits }) {
    this.#engine = parts.engine;
    this.#origin = parts.origin;
    this.#current = parts.limits;
    this.set(parts.limits);
  }

  get current(): SeederLimits {
    return this.#current;
  }

  /** Changes those that are given. */
  set(change: Partial<SeederLimits>): void {
    this.#current = { ...this.#current, ...change };
    const { originBytesPerSecond, originHostBytesPerSecond, originConnectionsPerHost, uploadBytesPerSecond } = this.#current;
    this.#engine.setLimits({ uploadBytesPerSecond });
    this.#origin.setLimits({
      bytesPerSecond: originBytesPerSecond,
      hostBytesPerSecond: originHostBytesPerSecond,
      connectionsPerHost: originConnectionsPerHost,
    });
  }
}
