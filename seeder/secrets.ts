/**
 * The seeder's data folder, and its secrets in there: the cluster key, shared by all seeders of a supernode, and the salt of private tasks.
 */
import { type KeyObject, randomBytes } from "node:crypto";
import { access, constants, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SkimmerError } from "../system/errors.ts";
import { encodePrivateKey, generateClusterKey, parsePrivateKey } from "../torrents/cluster-key.ts";

const SALT_BYTES = 32;

/** The data folder, for us alone. Rejects with `bad_request` where it cannot be made. */
export async function makeDataFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await access(path, constants.W_OK);
  } catch (error) {
    throw new SkimmerError("bad_request", `cannot use ${path} as data folder: ${(error as Error).message}`, {
      hint: "Choose a folder that can be written with --data.",
      cause: error,
    });
  }
}

/** Reads the key, or makes one where there is none yet. */
export async function openClusterKey(path: string): Promise<KeyObject> {
  const pem = await readOrMake(path, () => Buffer.from(encodePrivateKey(generateClusterKey())));
  try {
    return parsePrivateKey(pem.toString("utf8"));
  } catch (error) {
    throw new SkimmerError("bad_request", `${path} does not hold a cluster key`, {
      hint: "Copy cluster.key from another seeder of the cluster, or remove the file to make a new key.",
      cause: error,
    });
  }
}

export function openSalt(data: string): Promise<Buffer> {
  return readOrMake(join(data, "salt"), () => randomBytes(SALT_BYTES));
}

async function readOrMake(path: string, make: () => Buffer): Promise<Buffer> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await writeFile(path, make(), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return readFile(path);
}
