/** What a daemon that serves a group does not do for its callers, who have other rights than it. Decides. */
import { SkimmerError } from "../../system/errors.ts";
import type { DownloadRequest } from "./daemon-api.ts";
import type { TaskEntry } from "./task-entry.ts";
import { opennessOf } from "./task-openness.ts";

/** Throws SkimmerError `bad_request` where a group's daemon would read or write files of the caller's choice. */
export function refuseCallersFiles({ output, outputFolder, fill }: DownloadRequest, socketGroup: number | undefined): void {
  if (socketGroup === undefined || (output === undefined && outputFolder === undefined && fill === undefined)) return;
  throw new SkimmerError("bad_request", "a daemon that serves a group reads and writes no files of its callers", {
    hint: "Ask for a stream, and write the file yourself.",
  });
}

/**
 * Throws SkimmerError `unauthorized` where a group's member asks by its hash for what another one got with his credentials: nobody would ask
 * the origin whether he may have it too.
 */
export function refuseOthersContent(
  stored: Pick<TaskEntry, "liveInfo" | "local" | "private" | "inPlace"> | undefined,
  socketGroup: number | undefined,
): void {
  if (socketGroup === undefined || stored === undefined || (stored.liveInfo === undefined && !stored.local)) return;
  if (opennessOf(stored) !== "private") return;
  throw new SkimmerError("unauthorized", "this content is private", { hint: "Ask for it by its URL, with your own credentials." });
}
