/**
 * Metrics of what a process asked of origins: for seeders and daemons. Names and meanings are in docs/metrics.md.
 */
import type { MetricSpec } from "../system/metrics.ts";
import type { OriginHostStats, OriginStats } from "./types.ts";

/** `stats`: read at each scrape. */
export function originMetrics(stats: () => OriginStats): MetricSpec[] {
  const host = (read: (host: OriginHostStats) => number) => () =>
    stats().hosts.map((one) => ({ labels: { host: one.host }, value: read(one) }));
  const labels = ["host"];
  return [
    {
      name: "skimmer_origin_requests_total",
      help: "Requests to origins that were begun",
      kind: "counter",
      read: () => stats().total.requests,
    },
    { name: "skimmer_origin_bytes_total", help: "Content bytes from origins", kind: "counter", read: () => stats().total.bytes },
    {
      name: "skimmer_origin_responses_total",
      help: "Answers of origins by status, redirects included",
      kind: "counter",
      labels: ["status"],
      read: () => Object.entries(stats().total.statuses).map(([status, value]) => ({ labels: { status }, value })),
    },
    {
      name: "skimmer_origin_failures_total",
      help: "Requests to origins that ended with an error",
      kind: "counter",
      read: () => stats().total.failures,
    },
    {
      name: "skimmer_origin_host_bytes_total",
      help: "Content bytes by origin host; hosts that were not used for long are left out",
      kind: "counter",
      labels,
      read: host(({ bytes }) => bytes),
    },
    {
      name: "skimmer_origin_host_connections",
      help: "Connections to an origin host that are in use",
      kind: "gauge",
      labels,
      read: host(({ active }) => active),
    },
    {
      name: "skimmer_origin_host_waiting",
      help: "Requests that wait for a connection to an origin host",
      kind: "gauge",
      labels,
      read: host(({ waiting }) => waiting),
    },
  ];
}
