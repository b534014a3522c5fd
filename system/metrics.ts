/**
 * What the metrics of all our processes have in common (prom-client). Values are read when somebody scrapes: a process that
 * nobody scrapes pays nothing. Names begin with `skimmer_`, those that Prometheus has for every process with `process_`.
 */
import { Counter, Gauge, Registry } from "prom-client";
import { VERSION } from "./options.ts";

/** A value, or one for each of the labels' values. */
export type Reading = number | readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];

export interface MetricSpec {
  readonly name: string;
  readonly help: string;
  /** `counter`: only grows while the process runs. */
  readonly kind: "gauge" | "counter";
  readonly labels?: readonly string[];
  read(): Reading | Promise<Reading>;
}

/** A registry with what every process tells of itself. */
export function makeRegistry(role: string): Registry {
  const registry = new Registry();
  const startSeconds = Date.now() / 1000 - process.uptime();
  addMetrics(registry, [
    {
      name: "skimmer_build_info",
      help: "Always 1: version and role of this process",
      kind: "gauge",
      labels: ["version", "role"],
      read: () => [{ labels: { version: VERSION, role }, value: 1 }],
    },
    { name: "process_cpu_seconds_total", help: "User and system CPU time", kind: "counter", read: cpuSeconds },
    { name: "process_resident_memory_bytes", help: "Resident memory", kind: "gauge", read: () => process.memoryUsage.rss() },
    { name: "process_start_time_seconds", help: "Start of the process since 1970", kind: "gauge", read: () => startSeconds },
  ]);
  return registry;
}

/** Adds metrics that are read at each scrape. */
export function addMetrics(registry: Registry, specs: readonly MetricSpec[]): void {
  for (const { name, help, kind, labels = [], read } of specs) {
    const settings = { name, help, labelNames: [...labels], registers: [registry] };
    if (kind === "gauge") {
      const gauge: Gauge = new Gauge({ ...settings, collect: async () => set(gauge, await read()) });
    } else {
      const counter: Counter = new Counter({ ...settings, collect: async () => set(counter, await read()) });
    }
  }
}

function set(metric: Gauge | Counter, reading: Reading): void {
  metric.reset();
  for (const { labels, value } of typeof reading === "number" ? [{ labels: {}, value: reading }] : reading) metric.inc(labels, value);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/**
 * Sums counters of things that come and go (torrents), so that the sum never falls: what grew since the last look is added.
 */
export class GrowingSum<T extends object> {
  readonly #seen = new WeakMap<T, number>();
  #sum = 0;

  /** The sum after looking at all that are there now. */
  add(things: Iterable<T>, read: (thing: T) => number): number {
    for (const thing of things) {
      const value = read(thing);
      this.#sum += Math.max(0, value - (this.#seen.get(thing) ?? 0));
      this.#seen.set(thing, value);
    }
    return this.#sum;
  }
}
