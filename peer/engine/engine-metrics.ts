/**
 * Metrics of a peer engine: for seeders and daemons. Names and meanings are in docs/metrics.md.
 */
import { GrowingSum, type MetricSpec } from "../../system/metrics.ts";
import type { Engine, Torrent } from "./types.ts";

/** Sums of torrents are taken at each scrape: what a torrent moved after the last scrape before it was removed is not counted. */
export function engineMetrics(engine: Engine): MetricSpec[] {
  const uploaded = new GrowingSum<Torrent>();
  const sources = (["origin", "seeder", "peers"] as const).map((source) => ({ source, sum: new GrowingSum<Torrent>() }));
  const torrents = (): Torrent[] => [...new Set(engine.torrents.values())];
  return [
    {
      name: "skimmer_torrents",
      help: "Open torrents, by whether they hold everything",
      kind: "gauge",
      labels: ["complete"],
      read: () => {
        const complete = torrents().filter((torrent) => torrent.complete).length;
        return [
          { labels: { complete: "yes" }, value: complete },
          { labels: { complete: "no" }, value: torrents().length - complete },
        ];
      },
    },
    {
      name: "skimmer_connections",
      help: "Connections to peers, over all torrents",
      kind: "gauge",
      read: () => torrents().reduce((sum, torrent) => sum + torrent.stats.connections, 0),
    },
    {
      name: "skimmer_banned_peers",
      help: "Banned peers, over all torrents",
      kind: "gauge",
      read: () => engine.banned.length,
    },
    {
      name: "skimmer_uploaded_bytes_total",
      help: "Content bytes sent to peers",
      kind: "counter",
      read: () => uploaded.add(torrents(), (torrent) => torrent.stats.uploadedBytes),
    },
    {
      name: "skimmer_received_bytes_total",
      help: "Content bytes that were received and verified, by where they came from",
      kind: "counter",
      labels: ["from"],
      read: () =>
        sources.map(({ source, sum }) => ({ labels: { from: source }, value: sum.add(torrents(), ({ stats }) => stats.from[source]) })),
    },
  ];
}
