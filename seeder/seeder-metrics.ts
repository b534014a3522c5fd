/**
 * The seeder's metrics, read from its parts at each scrape. Names and meanings are in docs/metrics.md; a test compares.
 */
import { Histogram, type Registry } from "prom-client";
import { originMetrics } from "../origin/origin-metrics.ts";
import type { OriginStats } from "../origin/types.ts";
import { engineMetrics } from "../peer/engine/engine-metrics.ts";
import type { Engine } from "../peer/engine/types.ts";
import { addMetrics, makeRegistry } from "../system/metrics.ts";
import type { CacheReport, SeederTask } from "../torrents/seeder-link.ts";
import { FIRST_PIECE_SECONDS, type SeederCounters } from "./seeder-counters.ts";

export interface SeederParts {
  readonly engine: Engine;
  readonly counters: SeederCounters;
  originStats(): OriginStats;
  cacheReport(): Promise<CacheReport>;
  states(): readonly SeederTask["state"][];
  /** Linked to the supernode. */
  linked(): boolean;
  /** Of its WebRTC side. */
  browsers(): { readonly torrents: number; readonly connections: number };
}

/** The registry to serve at /metrics. */
export function makeSeederMetrics(parts: SeederParts): Registry {
  const registry = makeRegistry("seeder");
  addMetrics(registry, [...originMetrics(parts.originStats), ...engineMetrics(parts.engine)]);
  addTaskMetrics(registry, parts);
  addCacheMetrics(registry, parts);
  const firstPiece = new Histogram({
    name: "skimmer_first_piece_seconds",
    help: "From the registration that began a task to its first piece",
    buckets: [...FIRST_PIECE_SECONDS],
    registers: [registry],
  });
  parts.counters.onFirstPiece((seconds) => firstPiece.observe(seconds));
  return registry;
}

function addTaskMetrics(registry: Registry, { counters, states, linked, browsers }: SeederParts): void {
  addMetrics(registry, [
    {
      name: "skimmer_tasks",
      help: "Tasks that the seeder holds, by state",
      kind: "gauge",
      labels: ["state"],
      read: () => {
        const counts = { live: 0, final: 0, failed: 0 };
        for (const state of states()) counts[state]++;
        return Object.entries(counts).map(([state, value]) => ({ labels: { state }, value }));
      },
    },
    {
      name: "skimmer_registrations_total",
      help: "Registrations, by what came of them",
      kind: "counter",
      labels: ["result"],
      read: () => Object.entries(counters.registrations).map(([result, value]) => ({ labels: { result }, value })),
    },
    { name: "skimmer_supernode_linked", help: "1 while the link to the supernode stands", kind: "gauge", read: () => Number(linked()) },
    { name: "skimmer_browser_torrents", help: "Torrents that are served to browsers", kind: "gauge", read: () => browsers().torrents },
    { name: "skimmer_browser_connections", help: "Connections of browsers", kind: "gauge", read: () => browsers().connections },
  ]);
}

function addCacheMetrics(registry: Registry, { counters, cacheReport }: SeederParts): void {
  let pending: Promise<CacheReport> | undefined;
  // one for all metrics of a scrape
  const report = (): Promise<CacheReport> => {
    pending ??= cacheReport().finally(() => {
      pending = undefined;
    });
    return pending;
  };
  addMetrics(registry, [
    { name: "skimmer_cache_bytes", help: "Content bytes stored", kind: "gauge", read: async () => (await report()).usedBytes },
    { name: "skimmer_cache_quota_bytes", help: "Most content to keep", kind: "gauge", read: async () => (await report()).quotaBytes },
    {
      name: "skimmer_cache_available_bytes",
      help: "Free bytes of the file system",
      kind: "gauge",
      read: async () => (await report()).availableBytes,
    },
    { name: "skimmer_evictions_total", help: "Tasks removed to make room", kind: "counter", read: () => counters.evictions },
    {
      name: "skimmer_evicted_bytes_total",
      help: "Bytes of tasks removed to make room",
      kind: "counter",
      read: () => counters.evictedBytes,
    },
  ]);
}
