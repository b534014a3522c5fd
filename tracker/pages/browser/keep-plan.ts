/**
 * Where a browser keeps what it downloads, and what its user should know of that. Decides.
 */
import { formatBytes } from "./format.ts";

/** Without a store of its own, a browser holds everything in memory, and twice while it is saved. */
const MOST_IN_MEMORY_BYTES = 1_000_000_000;
/** Beyond this it goes straight into the file that the user chooses, where the browser can do that. */
export const STREAMED_FROM_BYTES = 256_000_000;

export interface Browser {
  /** WebRTC, and what pieces are verified with: browsers have the latter on secure pages only. */
  readonly capable: boolean;
  /** The page is from https, or from this machine. */
  readonly secure: boolean;
  /** The browser's own file store is there. */
  readonly store: boolean;
  /** Free in it; undefined: it does not say. */
  readonly freeBytes: number | undefined;
  /** It can write into a file that its user chose. */
  readonly picker: boolean;
}

export interface KeepPlan {
  readonly kind: "store" | "memory" | "refused";
  readonly note: string;
}

/** What to do with a content of that length. */
export function planKeeping(lengthBytes: number, { capable, secure, store, freeBytes, picker }: Browser): KeepPlan {
  if (!secure)
    return {
      kind: "refused",
      note: "Browsers allow this on pages from https or localhost only. Take the .torrent, or use dfget on this machine.",
    };
  if (!capable) return { kind: "refused", note: "This browser has no WebRTC. Take the .torrent, or use dfget on this machine." };
  const length = formatBytes(lengthBytes);
  if (!store) {
    return lengthBytes > MOST_IN_MEMORY_BYTES
      ? {
          kind: "refused",
          note: `${length} is more than this browser can hold in memory. Take the .torrent, or use dfget on this machine.`,
        }
      : { kind: "memory", note: `This browser holds the ${length} in memory until you save the file; keep the page open.` };
  }
  if (freeBytes !== undefined && freeBytes < lengthBytes)
    return {
      kind: "refused",
      note: `This browser has room for ${formatBytes(freeBytes)}, and the file needs ${length}. Use dfget on this machine.`,
    };
  if (lengthBytes > STREAMED_FROM_BYTES && !picker)
    return {
      kind: "store",
      note: `Kept in this browser's storage. Saving ${length} makes another copy, for which this browser may need that much memory.`,
    };
  return {
    kind: "store",
    note: "Kept in this browser's storage until you remove it: a download that you leave goes on when you come back.",
  };
}
