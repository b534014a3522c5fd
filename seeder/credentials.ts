/**
 * Which request headers prove who the caller is, and keys that separate callers by them. Decides.
 */
import { hash } from "node:crypto";
import { isCredential } from "../origin/http-headers.ts";
import { hasUrlSecrets } from "../torrents/shown-url.ts";
import type { TaskRequest } from "../torrents/task-api.ts";
import { originKey } from "../torrents/task-identity.ts";

export interface Caller {
  /** Equal for callers that show the origin the same URL and headers: what the origin says to one holds for the other. */
  readonly key: string;
  /** Equal for callers that ask for the same thing, with or without credentials. */
  readonly content: string;
  /** The request carries credentials: then what it gets is private. */
  readonly hasCredentials: boolean;
}

/** Who asks, and for what. */
export function callerOf(request: Omit<TaskRequest, "peer">): Caller {
  const wanted = originKey(request);
  const hasCredentials = hasUrlSecrets(request.url) || Object.keys(request.headers).some(isCredential);
  const headers = Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]);
  // the whole URL: a filtered parameter may be what the origin goes by
  const key = hash("sha256", JSON.stringify([request.url, wanted, headers.sort(), request.loopback === true]), "hex");
  return { key, content: hash("sha256", JSON.stringify([hasCredentials, wanted]), "hex"), hasCredentials };
}
