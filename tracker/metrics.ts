/**
 * The supernode's metrics, read from its parts at each scrape. Names and meanings are in docs/metrics.md; a test compares.
 */
import type Koa from "koa";
import { Counter, Histogram, type Registry } from "prom-client";
import { addMetrics, makeRegistry } from "../system/metrics.ts";
import type { TaskState } from "../torrents/task-api.ts";
import type { PreheatState } from "./preheat/preheat-job.ts";

/** The parts, as far as their figures go. */
export interface SupernodeFigures {
  tasks(): Readonly<Record<TaskState, number>>;
  swarms(): { readonly swarms: number; readonly complete: number; readonly incomplete: number };
  /** By protocol. */
  announces(): Readonly<Record<string, number>>;
  preheats(): Readonly<Record<PreheatState, number>>;
  seeders(): number;
}

const OPEN: readonly PreheatState[] = ["waiting", "running"];
const ENDED: readonly PreheatState[] = ["success", "failed", "cancelled"];
/** Registrations wait for origins; the rest takes milliseconds. */
const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60];

export class SupernodeMetrics {
  readonly registry: Registry;
  readonly #requests: Counter;
  readonly #seconds: Histogram;

  constructor(figures: SupernodeFigures) {
    this.registry = makeRegistry("supernode");
    addMetrics(this.registry, [
      {
        name: "skimmer_tasks",
        help: "Tasks that the supernode knows, by state",
        kind: "gauge",
        labels: ["state"],
        read: () => byLabel("state", figures.tasks()),
      },
      { name: "skimmer_swarms", help: "Swarms that are tracked", kind: "gauge", read: () => figures.swarms().swarms },
      {
        name: "skimmer_peers",
        help: "Peers in all swarms, seeders included, by whether they hold everything",
        kind: "gauge",
        labels: ["complete"],
        read: () => {
          const { complete, incomplete } = figures.swarms();
          return byLabel("complete", { yes: complete, no: incomplete });
        },
      },
      {
        name: "skimmer_announces_total",
        help: "Announces that were answered, by protocol",
        kind: "counter",
        labels: ["protocol"],
        read: () => byLabel("protocol", figures.announces()),
      },
      { name: "skimmer_seeders", help: "Seeders that are linked", kind: "gauge", read: () => figures.seeders() },
      {
        name: "skimmer_preheats",
        help: "Preheats that wait or run",
        kind: "gauge",
        labels: ["state"],
        read: () => byLabel("state", figures.preheats(), OPEN),
      },
      {
        name: "skimmer_preheats_ended_total",
        help: "Preheats that ended since the start, by how",
        kind: "counter",
        labels: ["state"],
        read: () => byLabel("state", figures.preheats(), ENDED),
      },
    ]);
    const registers = [this.registry];
    const labelNames = ["method", "route", "status"];
    this.#requests = new Counter({ name: "skimmer_api_requests_total", help: "API requests that were answered", labelNames, registers });
    this.#seconds = new Histogram({
      name: "skimmer_api_request_seconds",
      help: "Time to the answer of an API request",
      labelNames: ["method", "route"],
      buckets: SECONDS,
      registers,
    });
  }

  /** Counts the requests that pass through; in front of everything else. */
  get middleware(): Koa.Middleware {
    return async (context, next) => {
      const startMs = performance.now();
      await next();
      if (context.state.uncounted === true) return;
      const { _matchedRoute: matched } = context as { _matchedRoute?: unknown };
      const route = typeof matched === "string" ? matched : "none";
      this.#requests.inc({ method: context.method, route, status: context.status });
      this.#seconds.observe({ method: context.method, route }, (performance.now() - startMs) / 1000);
    };
  }
}

function byLabel<K extends string>(label: string, values: Readonly<Record<K, number>>, keys?: readonly K[]) {
  return (keys ?? (Object.keys(values) as K[])).map((key) => ({ labels: { [label]: key }, value: values[key] }));
}
