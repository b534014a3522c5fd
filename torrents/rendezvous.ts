/**
 * Rendezvous hashing: which of several nodes is responsible for a key, with little movement when one comes or goes. Decides.
 */
import { hash } from "node:crypto";

/** All ids, the responsible one first. */
export function rendezvousOrder(key: string, ids: readonly string[]): string[] {
  const scored = ids.map((id) => ({ id, score: hash("sha256", `${id}\n${key}`, "hex") }));
  return scored.sort((a, b) => (a.score < b.score ? 1 : -1)).map(({ id }) => id);
}
