/** What a daemon that serves a group does not do for its callers, who have other rights than it. Decides. */
import { SkimmerError } from "../../system/errors.ts";
import type { DownloadRequest } from "./daemon-api.ts";

/** Throws SkimmerError `bad_request` where a group's daemon would read or write files of the caller's choice. */
export function refuseCallersFiles({ output, outputFolder, fill }: DownloadRequest, socketGroup: number | undefined): void {
  if (socketGroup === undefined || (output === undefined && outputFolder === undefined && fill === undefined)) return;
  throw new SkimmerError("bad_request", "a daemon that serves a group reads and writes no files of its callers", {
    hint: "Ask for a stream, and write the file yourself.",
  });
}
