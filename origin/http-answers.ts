/**
 * What an origin's HTTP answer means for a probe or a read. Decides; every answer is checked before a byte of it counts.
 */
import { SkimmerError } from "../system/errors.ts";
import { contentName } from "./content-name.ts";
import {
  type HeaderBag,
  headerLength,
  headerText,
  isOtherVersion,
  parseContentRange,
  parseUnsatisfiedRange,
  readValidators,
  shownUrl,
} from "./http-headers.ts";
import type { OriginRequest, Probe, ReadRange } from "./types.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: HeaderBag;
  /** The URL that answered, after redirects. */
  readonly url: string;
}

/** Where a read's bytes are in the body of its answer. */
export interface BodyPlace {
  /** Bytes before ours: an origin that ignored Range sends the file from its beginning. */
  readonly skipBytes: number;
  /** Length of the body; infinite where the origin does not tell. */
  readonly bodyBytes: number;
}

/** What a 200, 206 or 416 answer to a range request for the first byte tells. Throws SkimmerError origin_*, bad_request. */
export function readProbe(request: OriginRequest, answer: HttpAnswer): Probe {
  const common = {
    validators: readValidators(answer.headers),
    name: contentName(headerText(answer.headers, "content-disposition"), request.url),
    cacheControl: headerText(answer.headers, "cache-control")?.toLowerCase() ?? "",
  };
  if (answer.status === 416) return { ...common, lengthBytes: emptyLength(request, answer), ranges: false };
  checkEncoding(answer);
  if (answer.status !== 206) {
    return { ...common, lengthBytes: windowLength(request, headerLength(answer.headers, "content-length")), ranges: false };
  }
  const range = parseContentRange(headerText(answer.headers, "content-range"));
  if (range?.firstByte !== (request.window?.firstByte ?? 0))
    throw new SkimmerError("origin_failed", `${shownUrl(answer.url)} answered a range request with another range`);
  return { ...common, lengthBytes: windowLength(request, range.totalBytes), ranges: range.totalBytes !== undefined };
}

/** Throws SkimmerError `origin_changed`, or `origin_failed` where the answer does not fit what was asked for. */
export function placeOfRange(request: OriginRequest, range: ReadRange, answer: HttpAnswer): BodyPlace {
  checkEncoding(answer);
  const first = range.firstByte + (request.window?.firstByte ?? 0);
  const bodyBytes = headerLength(answer.headers, "content-length") ?? Number.POSITIVE_INFINITY;
  const got = answer.status === 206 ? parseContentRange(headerText(answer.headers, "content-range")) : undefined;
  const totalBytes = answer.status === 206 ? got?.totalBytes : bodyBytes;
  if (isOtherVersion(range.validators, answer.headers) || isOtherLength(request, range, totalBytes)) {
    throw new SkimmerError("origin_changed", `${shownUrl(answer.url)} changed while it was being read`, {
      hint: "Start the download again to get the new version.",
    });
  }
  if (answer.status === 200) return { skipBytes: first, bodyBytes };
  const wantedLast = range.lastByte === undefined ? undefined : range.lastByte + first - range.firstByte;
  const fits = got?.firstByte === first && got.lastByte >= first && (wantedLast === undefined || got.lastByte <= wantedLast);
  if (!fits || got === undefined)
    throw new SkimmerError("origin_failed", `${shownUrl(answer.url)} answered with another range than was asked for`, { retriable: true });
  return { skipBytes: 0, bodyBytes: got.lastByte - got.firstByte + 1 };
}

/** A window hides the file's own length, and a body without a length tells nothing. */
function isOtherLength(request: OriginRequest, range: ReadRange, totalBytes: number | undefined): boolean {
  if (request.window !== undefined || range.lengthBytes === undefined) return false;
  return totalBytes !== undefined && Number.isFinite(totalBytes) && totalBytes !== range.lengthBytes;
}

function emptyLength(request: OriginRequest, answer: HttpAnswer): number {
  const total = parseUnsatisfiedRange(headerText(answer.headers, "content-range"));
  if (request.window === undefined && (total === undefined || total === 0)) return 0;
  throw rangeBehindEnd(request);
}

/** Length of the file that a window cuts out of so many bytes. Throws SkimmerError `bad_request` where it begins behind them. */
export function windowLength(request: OriginRequest, totalBytes: number | undefined): number | undefined {
  const { window } = request;
  if (window === undefined || totalBytes === undefined) return totalBytes;
  if (window.firstByte >= totalBytes) throw rangeBehindEnd(request);
  return Math.min(window.lastByte, totalBytes - 1) - window.firstByte + 1;
}

function rangeBehindEnd(request: OriginRequest): SkimmerError {
  return new SkimmerError("bad_request", `the range begins behind the end of ${shownUrl(request.url)}`, { status: 416 });
}

/** Ranges and digests are those of the plain bytes; a length of compressed ones would be wrong too. */
function checkEncoding(answer: HttpAnswer): void {
  const encoding = headerText(answer.headers, "content-encoding")?.trim().toLowerCase();
  if (encoding === undefined || encoding === "" || encoding === "identity") return;
  throw new SkimmerError(
    "origin_failed",
    `${shownUrl(answer.url)} answers with Content-Encoding ${encoding.slice(0, 40)}, though identity was asked for`,
    { hint: "Have the server send this path uncompressed." },
  );
}
