/**
 * `Range` and `If-Range` of a GET (RFC 9110 14.2, 13.1.5) against content of a known length. Decides.
 * Several ranges in one header are answered with everything, as the RFC allows.
 */

export type RangeAnswer =
  | { readonly kind: "all" }
  /** First and last byte; `open` where the caller left the end open: he may want all from there. */
  | { readonly kind: "span"; readonly firstByte: number; readonly lastByte: number; readonly open: boolean }
  | { readonly kind: "unsatisfiable" };

const ALL: RangeAnswer = { kind: "all" };

export interface RangeQuestion {
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly etag: string;
  readonly lengthBytes: number;
}

/** What to send. */
export function answerRange({ range, ifRange, etag, lengthBytes }: RangeQuestion): RangeAnswer {
  // a date, or a weak or other tag, is no proof that it is the same content
  if (range === undefined || (ifRange !== undefined && ifRange.trim() !== etag)) return ALL;
  // engines that send a range with every request get what is empty, as from registries themselves
  if (lengthBytes === 0) return ALL;
  const match = /^\s*bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(range);
  if (match === null) return ALL;
  const [, first, last] = match;
  if (first === "") return last === "" ? ALL : suffix(Number(last), lengthBytes);
  const firstByte = Number(first);
  if (last !== "" && Number(last) < firstByte) return ALL;
  if (firstByte >= lengthBytes) return { kind: "unsatisfiable" };
  const lastByte = last === "" ? lengthBytes - 1 : Math.min(Number(last), lengthBytes - 1);
  return { kind: "span", firstByte, lastByte, open: last === "" };
}

function suffix(length: number, lengthBytes: number): RangeAnswer {
  if (length === 0) return { kind: "unsatisfiable" };
  return { kind: "span", firstByte: Math.max(0, lengthBytes - length), lastByte: lengthBytes - 1, open: false };
}
