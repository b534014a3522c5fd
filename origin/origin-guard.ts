/**
 * Origins of a process that reads them for others: only addresses that `system/reach.ts` allows. Decides.
 */
import { type ReachFlags, readReach } from "../system/reach-options.ts";
import type { OriginOptions } from "./open-origin.ts";

/** The options with the guard in front of http, which s3 and hdfs go through as well. The S3 endpoint is its owner's choice, and open. */
export function withGuard(options: OriginOptions, flags: ReachFlags): OriginOptions {
  const endpoint = options.s3?.endpoint ?? process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
  return { ...options, http: { ...options.http, reach: { reach: readReach(flags), trusted: placeOf(endpoint) } } };
}

/** `HOST:PORT` of a URL. */
function placeOf(text: string | undefined): string | undefined {
  const url = text === undefined ? null : URL.parse(text);
  if (url === null) return undefined;
  return `${url.hostname}:${url.port || (url.protocol === "https:" ? "443" : "80")}`;
}
