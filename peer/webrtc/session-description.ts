/**
 * What a stranger's session description may hold before the native library reads it. Decides.
 *
 * Candidates are addresses that this host will send packets to: there are few of them, and none is a name. Browsers hide theirs behind mDNS names;
 * looking those up would let a stranger choose what this host asks its name servers, and is not needed, since the browser dials too (RFC 8445 7.3.1.3).
 */
import { isIP } from "node:net";

const MOST_CHARACTERS = 16 * 1024;
const MOST_CANDIDATES = 30;
/** a=candidate:foundation component transport priority ADDRESS port … (RFC 8839 5.1). */
const ADDRESS_FIELD = 4;

/** What the native library is told in two steps. */
export interface Description {
  /** Without candidates, and without the word that there are no more. */
  readonly sdp: string;
  /** `candidate:…`, as they came. */
  readonly candidates: readonly string[];
  /** Of the one media section. */
  readonly mid: string;
}

/** The description, and the candidates that count; undefined: it is none, or too long. */
export function readDescription(sdp: string): Description | undefined {
  if (sdp.length > MOST_CHARACTERS || !sdp.startsWith("v=0")) return undefined;
  const lines = sdp.split(/\r?\n/);
  const candidates = lines.filter(isAddress).slice(0, MOST_CANDIDATES);
  const rest = lines.filter((line) => line !== "" && line !== "a=end-of-candidates" && !line.startsWith("a=candidate:"));
  return {
    sdp: `${rest.join("\r\n")}\r\n`,
    candidates: candidates.map((line) => line.slice("a=".length)),
    mid: rest.find((line) => line.startsWith("a=mid:"))?.slice("a=mid:".length) ?? "0",
  };
}

function isAddress(line: string): boolean {
  return line.startsWith("a=candidate:") && isIP(line.split(" ")[ADDRESS_FIELD] ?? "") !== 0;
}
