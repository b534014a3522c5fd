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

/** The description with the candidates that count; undefined: it is none, or too long. */
export function trimDescription(sdp: string): string | undefined {
  if (sdp.length > MOST_CHARACTERS || !sdp.startsWith("v=0")) return undefined;
  let candidates = 0;
  const lines = sdp.split(/\r?\n/).filter((line) => {
    if (!line.startsWith("a=candidate:")) return line !== "";
    return isIP(line.split(" ")[ADDRESS_FIELD] ?? "") !== 0 && candidates++ < MOST_CANDIDATES;
  });
  return `${lines.join("\r\n")}\r\n`;
}
