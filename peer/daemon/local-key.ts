/**
 * This host's own signing key, for torrents that it makes without a supernode. Drives; made once, kept in HOME.
 */

import type { KeyObject } from "node:crypto";
import { link, readFile, unlink, writeFile } from "node:fs/promises";
import { encodePrivateKey, generateClusterKey, parsePrivateKey } from "../../torrents/cluster-key.ts";

/** Reads the key, or makes one. A damaged file is replaced: what it signed is then fetched anew. */
export async function openLocalKey(path: string): Promise<KeyObject> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text !== undefined) {
    try {
      return parsePrivateKey(text);
    } catch {
      await unlink(path);
    }
  }
  const key = generateClusterKey();
  const temporary = `${path}.${process.pid}.new`;
  await writeFile(temporary, encodePrivateKey(key), { mode: 0o600 });
  await link(temporary, path).catch(() => undefined);
  await unlink(temporary);
  return key;
}
