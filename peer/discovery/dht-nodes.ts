/**
 * Nodes of the DHT that answered in an earlier life: a small JSON file. Drives. A damaged file is an empty one.
 */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { replaceFile } from "../../system/replace-file.ts";

export interface DhtNode {
  readonly host: string;
  readonly port: number;
}

const MOST_NODES = 200;

/** Never rejects. */
export async function readNodes(path: string): Promise<DhtNode[]> {
  try {
    const parsed: unknown = JSON.parse(await readFile(path, "utf8"));
    return Array.isArray(parsed) ? parsed.slice(0, MOST_NODES).filter(isNode) : [];
  } catch {
    return [];
  }
}

export async function writeNodes(path: string, nodes: readonly DhtNode[]): Promise<void> {
  const kept = nodes.filter(isNode).slice(0, MOST_NODES);
  if (kept.length === 0) return;
  await replaceFile(path, JSON.stringify(kept.map(({ host, port }) => ({ host, port }))));
}

function isNode(value: unknown): value is DhtNode {
  const { host, port } = (value ?? {}) as Partial<DhtNode>;
  return typeof host === "string" && isIP(host) > 0 && Number.isInteger(port) && Number(port) > 0 && Number(port) < 65536;
}
