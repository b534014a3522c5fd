/**
 * Bounds on the seeders' traffic that were set through the API, in a file: they hold after a restart too. Drives files.
 * Invariant: the file is whole, since it is replaced by renaming; one that cannot be read is reported, and sets nothing.
 */
import { readFile } from "node:fs/promises";
import type { Logger } from "../system/logger.ts";
import { replaceFile } from "../system/replace-file.ts";
import { parseSeederLimits } from "../torrents/parse-limits.ts";
import type { SeederLimits } from "../torrents/task-api.ts";

/** What was set; nothing where there is no file. */
export async function loadLimits(path: string, logger: Logger): Promise<Partial<SeederLimits>> {
  try {
    return parseSeederLimits(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") logger.warn({ err: String(error), path }, "stored limits cannot be read");
    return {};
  }
}

/** Replaces the file. Never rejects: the limits are in force whether they are kept or not. */
export async function saveLimits(path: string, limits: Partial<SeederLimits>, logger: Logger): Promise<void> {
  try {
    await replaceFile(path, JSON.stringify(limits));
  } catch (error) {
    logger.error({ err: String(error), path }, "limits cannot be saved");
  }
}
