/**
 * The host daemon's metrics, served where `--metrics` says. Names and meanings are in docs/metrics.md; a test compares.
 * Loaded only where they are wanted.
 */
import { originMetrics } from "../../origin/origin-metrics.ts";
import type { OriginStats } from "../../origin/types.ts";
import { formatHostPort, type HostPort, reachableHost } from "../../system/addresses.ts";
import { addMetrics, type MetricSpec, makeRegistry } from "../../system/metrics.ts";
import { listenForMetrics } from "../../system/metrics-listener.ts";
import { onShutdown } from "../../system/shutdown.ts";
import { engineMetrics } from "../engine/engine-metrics.ts";
import type { Engine, Torrent } from "../engine/types.ts";

/** Until the process ends. Answers where /metrics is. Rejects with SkimmerError `address_in_use`. */
export async function serveDaemonMetrics(listen: HostPort, figures: { engine: Engine; originStats(): OriginStats }): Promise<string> {
  const registry = makeRegistry("dfdaemon");
  addMetrics(registry, [...originMetrics(figures.originStats), ...engineMetrics(figures.engine), webrtcConnections(figures.engine)]);
  const listener = await listenForMetrics(registry, listen);
  onShutdown(() => listener[Symbol.asyncDispose]());
  return `http://${formatHostPort({ host: reachableHost(listener.host), port: listener.port })}/metrics`;
}

function webrtcConnections(engine: Engine): MetricSpec {
  const ofTorrent = ({ peers }: Torrent): number => peers.filter(({ transport }) => transport === "webrtc").length;
  return {
    name: "skimmer_webrtc_connections",
    help: "Connections to peers over WebRTC; they are among skimmer_connections",
    kind: "gauge",
    read: () => [...new Set(engine.torrents.values())].reduce((sum, torrent) => sum + ofTorrent(torrent), 0),
  };
}
