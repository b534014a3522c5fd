/**
 * Checks bounds on a seeder's traffic, as the API and the seeder link carry them. Decides.
 */
import { fieldReader } from "./parse-fields.ts";
import type { SeederLimits } from "./task-api.ts";

const read = fieldReader("bad_request", "limits");
const MOST_CONNECTIONS = 1024;
const RANGES: Readonly<Record<keyof SeederLimits, { least: number; most: number }>> = {
  originBytesPerSecond: { least: 0, most: Number.MAX_SAFE_INTEGER },
  originHostBytesPerSecond: { least: 0, most: Number.MAX_SAFE_INTEGER },
  originConnectionsPerHost: { least: 1, most: MOST_CONNECTIONS },
  uploadBytesPerSecond: { least: 0, most: Number.MAX_SAFE_INTEGER },
};

/** Those that are to change. Throws SkimmerError `bad_request`, also for names that there are not. */
export function parseSeederLimits(value: unknown): Partial<SeederLimits> {
  const limits: Partial<Record<keyof SeederLimits, number>> = {};
  for (const [name, limit] of Object.entries(read.object(value, "body"))) {
    if (!Object.hasOwn(RANGES, name)) read.fail(name.slice(0, 40), `one of ${Object.keys(RANGES).join(", ")}`);
    const known = name as keyof SeederLimits;
    if (limit !== undefined) limits[known] = read.integer(limit, known, RANGES[known]);
  }
  return limits;
}
