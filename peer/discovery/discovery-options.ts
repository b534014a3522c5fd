/**
 * The options about finding peers without trackers, and their reading. Decides.
 */
import { type HostPort, parseHostPort } from "../../system/addresses.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { OptionSpec } from "../../system/options.ts";
import type { DiscoverySettings } from "./discovery.ts";
import { REACHES, type Reach } from "./reach.ts";

/** Nodes that well-known clients begin with too. */
const BOOTSTRAP = ["router.bittorrent.com:6881", "dht.transmissionbt.com:6881", "dht.libtorrent.org:25401"];
const MOST_NODES = 20;

export const DISCOVERY_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--lsd <WHICH>",
    help: "find peers on the local network by multicast: off; added: for torrents of dfget add; on: for public tasks of supernodes too; private ones never",
    default: "added",
    parse: parseReach,
  },
  {
    flags: "--dht <WHICH>",
    help: "find peers through BitTorrent's DHT, over UDP at the peer port: off; added: for torrents of dfget add; on: for public tasks of supernodes too; private ones never",
    default: "added",
    parse: parseReach,
  },
  {
    flags: "--dht-bootstrap <HOST:PORT,...>",
    help: "nodes of the DHT to begin with, where none is known yet; may be repeated",
    default: BOOTSTRAP.map(parseHostPort),
    defaultText: BOOTSTRAP.join(","),
    parse: parseNodes,
  },
];

export function readDiscoverySettings(options: Readonly<Record<string, unknown>>): DiscoverySettings {
  return { lsd: options.lsd as Reach, dht: options.dht as Reach, dhtBootstrap: options.dhtBootstrap as readonly HostPort[] };
}

function parseReach(text: string): Reach {
  const reach = REACHES.find((known) => known === text);
  if (reach === undefined) throw new SkimmerError("bad_request", `"${text}" is none of ${REACHES.join(", ")}`);
  return reach;
}

function parseNodes(text: string, previous: unknown): HostPort[] {
  const before = previous === DISCOVERY_OPTIONS[2].default ? [] : ((previous as HostPort[] | undefined) ?? []);
  const nodes = [...before, ...text.split(",").map(parseHostPort)];
  if (nodes.length > MOST_NODES) throw new SkimmerError("bad_request", `more than ${MOST_NODES} nodes to begin with`);
  return nodes;
}
