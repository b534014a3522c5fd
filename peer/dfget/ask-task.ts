/** The stored task that a person means, from the daemon. Drives. */
import type { TaskRow } from "../daemon/daemon-api.ts";
import { callDaemon } from "./call-daemon.ts";
import { findTask } from "./find-task.ts";
import type { Invocation } from "./subcommand.ts";

/** Node's servers take 16 KiB of headers. */
const MOST_LENGTH = 12_000;

/** Rejects with SkimmerError `not_found`, or `bad_request` where several fit. */
export async function askTask(invocation: Invocation, text: string): Promise<TaskRow> {
  const { tasks } = await callDaemon<{ tasks: TaskRow[] }>({ ...invocation, method: "GET", path: `/v1/tasks${urlQuery(text)}` });
  return findTask(tasks, text);
}

/** What shows a group's daemon that the caller knows a task's URL: it is told to nobody else. */
export function urlQuery(text: string): string {
  const query = URL.canParse(text) ? `?url=${encodeURIComponent(text)}` : "";
  return query.length > MOST_LENGTH ? "" : query;
}
