/**
 * Which stored task a person means: by info hash or its beginning, by URL, by name. Decides.
 */
import { SkimmerError } from "../../system/errors.ts";
import type { TaskRow } from "../daemon/daemon-api.ts";

const LEAST_PREFIX = 4;

/** Throws SkimmerError `not_found`, or `bad_request` where several fit. */
export function findTask(tasks: readonly TaskRow[], text: string): TaskRow {
  const found = findTasks(tasks, text);
  if (found.length === 1) return found[0];
  if (found.length === 0)
    throw new SkimmerError("not_found", `this host has no task "${text}"`, { hint: "dfget ls shows those that it has." });
  throw new SkimmerError("bad_request", `"${text}" fits ${found.length} tasks`, { hint: "Give more of the info hash; dfget ls shows it." });
}

function findTasks(tasks: readonly TaskRow[], text: string): TaskRow[] {
  const lower = text.toLowerCase();
  const prefix = text.length >= LEAST_PREFIX && /^[0-9a-f]+$/.test(lower);
  const byHash = prefix ? tasks.filter(({ infoHash }) => infoHash.startsWith(lower)) : [];
  if (byHash.length > 0) return byHash;
  const byUrl = tasks.filter(({ url }) => url === text);
  return byUrl.length > 0 ? byUrl : tasks.filter(({ name }) => name === text);
}
