/**
 * Peer ids in Azureus style: -SK0100- for a daemon, -SS0100- for a seeder of the cluster. Decides.
 * An id proves nothing; it only says how a peer wants to be counted and announced.
 */
import type { PeerId } from "./ids.ts";

const PEER_PREFIX = Buffer.from("-SK0100-").toString("hex");
const SEEDER_PREFIX = Buffer.from("-SS0100-").toString("hex");
const OURS = Buffer.from("-SK").toString("hex");
const OUR_SEEDERS = Buffer.from("-SS").toString("hex");

/** An id from at least 12 random bytes. */
export function makePeerId(role: "peer" | "seeder", random: Buffer): PeerId {
  return ((role === "seeder" ? SEEDER_PREFIX : PEER_PREFIX) + random.toString("hex", 0, 12)) as PeerId;
}

export function isOurs(id: PeerId): boolean {
  return id.startsWith(OURS) || id.startsWith(OUR_SEEDERS);
}

export function isSeeder(id: PeerId): boolean {
  return id.startsWith(OUR_SEEDERS);
}
