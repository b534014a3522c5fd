/**
 * The rates of this host as the API shows and changes them. Wires engine and origins, which hold them.
 */
import type { SharedOrigin } from "../../origin/types.ts";
import type { Engine } from "../engine/types.ts";
import type { HostLimits } from "./daemon-api.ts";

export class HostRates {
  readonly #engine: Pick<Engine, "setLimits">;
  readonly #origin: Pick<SharedOrigin, "setLimits">;
  #now: Required<HostLimits> = { upload: 0, download: 0, backToSource: 0, priorities: {} };

  /** `begin`: what is in force to begin with. */
  constructor(held: { engine: Pick<Engine, "setLimits">; origin: Pick<SharedOrigin, "setLimits"> }, begin: Required<HostLimits>) {
    this.#engine = held.engine;
    this.#origin = held.origin;
    this.change(begin);
  }

  get now(): Required<HostLimits> {
    return this.#now;
  }

  /** In force at once; what is absent stays. */
  change(change: HostLimits): void {
    const { upload, download, backToSource, priorities } = this.#now;
    const rates = Object.entries({ ...priorities, ...change.priorities });
    this.#now = {
      upload: change.upload ?? upload,
      download: change.download ?? download,
      backToSource: change.backToSource ?? backToSource,
      priorities: Object.fromEntries(rates.filter(([, rate]) => rate > 0)),
    };
    const classes = Object.entries(change.priorities ?? {}).map(([priority, rate]) => [Number(priority), rate] as const);
    this.#engine.setLimits({
      uploadBytesPerSecond: change.upload,
      downloadBytesPerSecond: change.download,
      classBytesPerSecond: new Map(classes),
    });
    if (change.backToSource !== undefined) this.#origin.setLimits({ bytesPerSecond: change.backToSource });
  }
}
