/**
 * Which of the layers after those that an engine reads are to be opened, and when: so early that the registry's line is not idle
 * between layers (registration, first bytes and the engine's own turn took 0.15 to 0.2 s for each layer), so late that
 * layers do not share the line for long: engines that read three at once unpack the first one first (docker was done up to 0.5 s later
 * where each of the three opened what follows by itself). Decides. Bounded: AHEAD_BYTES of each, and MOST_AHEAD for each reader.
 */
import type { Descriptor } from "../registry/manifest.ts";

/** What is missing of the layers that are read, with those opened after them, comes to this at least: 0.6 s at 50 MB/s. No more of one is fetched before it is read. */
export const AHEAD_BYTES = 32 * 1024 * 1024;
const MOST_AHEAD = 8;

/** For one layer's reading: call it with the bytes that this host lacks of all that its reader reads; `open` hears of each following blob once. */
export function lookAhead(following: readonly Descriptor[], open: (digest: string) => void): (missingBytes: number) => void {
  const most = Math.min(following.length, MOST_AHEAD);
  let opened = 0;
  let openedBytes = 0;
  return (missingBytes) => {
    while (opened < most && missingBytes + openedBytes < AHEAD_BYTES) {
      const { digest, lengthBytes } = following[opened++];
      openedBytes += lengthBytes;
      open(digest);
    }
  };
}
