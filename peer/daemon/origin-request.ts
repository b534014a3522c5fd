/** A download request in the words of origin/: URL, the caller's headers, the wanted window. Decides. */
import type { OriginRequest } from "../../origin/types.ts";
import { checkRange } from "./check-request.ts";
import type { DownloadRequest } from "./daemon-api.ts";

export function originRequest(request: DownloadRequest): OriginRequest {
  const base = { url: request.url, headers: request.headers, tls: request.tls };
  return request.range === undefined ? base : { ...base, window: checkRange(request.range) };
}
