/**
 * `-r`: the files of a folder at the origin, with its folders below, as downloads. Drives the listings.
 * Bounded in depth, folders and files; only what is below the start, at the same host; every output is below the folder
 * for outputs, whatever the listing says.
 */
import { join } from "node:path";
import { SkimmerError } from "../../system/errors.ts";
import { globPattern } from "../../system/glob-pattern.ts";
import type { OriginListing } from "../daemon/list-folder.ts";
import { callDaemon } from "./call-daemon.ts";
import type { DfgetSettings, Job } from "./dfget-settings.ts";

const MOST_FILES = 100_000;
const MOST_FOLDERS = 10_000;

interface Folder {
  readonly url: string;
  /** Path below the start, for outputs. */
  readonly path: string;
  readonly depth: number;
}

/** Rejects with SkimmerError where a folder cannot be listed or there are too many. */
export async function listJobs(
  settings: DfgetSettings,
  recursive: { readonly level: number; readonly include: readonly string[] },
  signal: AbortSignal,
): Promise<Job[]> {
  const patterns = recursive.include.map(globPattern);
  const jobs: Job[] = [];
  for (const start of settings.jobs) {
    const base = settings.folder ?? settings.currentFolder;
    const folders: Folder[] = [{ url: start.url, path: "", depth: 0 }];
    for (let at = 0; at < folders.length; at++) {
      const folder = folders[at];
      const listing = await list(settings, start, folder.url, signal);
      for (const entry of listing.entries) {
        const path = join(folder.path, entry.name);
        if (entry.isDirectory) {
          if (folder.depth + 1 < recursive.level) folders.push({ url: entry.url, path, depth: folder.depth + 1 });
        } else if (patterns.length === 0 || patterns.some((pattern) => pattern.test(path) || pattern.test(entry.name))) {
          const output = join(base, path);
          jobs.push({ url: entry.url, output, body: { ...start.body, url: entry.url, output } });
        }
      }
      if (listing.truncated || jobs.length > MOST_FILES || folders.length > MOST_FOLDERS)
        throw new SkimmerError("bad_request", `${start.url} has too many entries`, {
          hint: `At most ${MOST_FILES} files in ${MOST_FOLDERS} folders; begin further down, or use -i with a list.`,
        });
    }
  }
  if (jobs.length === 0) throw new SkimmerError("not_found", "no file is listed there", { hint: "Is it a folder that can be listed?" });
  await makeFolders(jobs);
  return jobs;
}

function list(settings: DfgetSettings, start: Job, url: string, signal: AbortSignal): Promise<OriginListing> {
  const body = { url, headers: start.body.headers };
  return callDaemon({ place: settings.place, signal, method: "POST", path: "/v1/listings", body });
}

async function makeFolders(jobs: readonly Job[]): Promise<void> {
  const { makeFolder } = await import("./content-target.ts");
  const folders = new Set(jobs.map(({ output }) => join(output as string, "..")));
  for (const folder of folders) await makeFolder(folder);
}
