/** Torrents for people: what is in one, and where its peers and its content are looked for. Decides. */
import { formatBytes } from "../../system/units.ts";
import type { TaskDetail, TorrentListing, TorrentPlaces } from "../daemon/daemon-api.ts";
import { printable } from "./progress-text.ts";

/** A torrent that need not be stored. */
export function torrentLines(torrent: TorrentListing): string[] {
  const { name, infoHashes, lengthBytes, pieceLengthBytes, files, peers } = torrent;
  const lines = [
    `name: ${name}`,
    ...infoHashes.map((infoHash) => `info hash: ${infoHash}`),
    `length: ${lengthBytes} bytes (${formatBytes(lengthBytes)}) in ${files.length} ${files.length === 1 ? "file" : "files"}`,
    `pieces: ${formatBytes(pieceLengthBytes)} each`,
  ];
  return [...lines.map(printable), ...placeLines(torrent, []), ...peers.map((peer) => printable(`peer: ${peer}`)), ...fileLines(torrent)];
}

/** The files with the numbers that `--files` takes. */
export function fileLines({ files }: Pick<TorrentListing, "files">): string[] {
  const width = String(files.length).length;
  return files.map(({ path, lengthBytes }, at) => printable(`${String(at + 1).padStart(width)}  ${formatBytes(lengthBytes)}  ${path}`));
}

/** `states`: how the trackers fare, where that is known. */
export function placeLines(places: TorrentPlaces, states: TaskDetail["trackerStates"]): string[] {
  const { trackerTiers, webSeeds, dhtNodes, private: isPrivate, dht, lsd } = places;
  const isUsed = (used: boolean, option: string): string => (used ? "used" : isPrivate ? "not used" : `not used (${option})`);
  return [
    ...trackerTiers.flatMap((tier, at) => tier.map((url) => `tracker, tier ${at + 1}: ${trackerText(url, states)}`)),
    ...webSeeds.map((url) => `web seed: ${url}`),
    `private: ${isPrivate ? "yes, only its trackers are told of it" : "no"}`,
    `DHT: ${isUsed(dht, "--dht")}`,
    ...dhtNodes.map((node) => `DHT node: ${node}`),
    `local network: ${isUsed(lsd, "--lsd")}`,
  ].map(printable);
}

function trackerText(url: string, states: TaskDetail["trackerStates"]): string {
  const found = states.find((state) => state.url === url);
  if (found === undefined) return url;
  const { state, message, seeds, leeches } = found;
  const swarm = seeds === undefined || leeches === undefined ? [] : [`${seeds} complete, ${leeches} not`];
  return `${url} ${[state, ...swarm, ...(message === undefined ? [] : [message])].join(", ")}`;
}
