/**
 * What the browser can do, and its own file store (OPFS), where webtorrent keeps a folder for each torrent. Drives.
 */
import type { Browser } from "./keep-plan.ts";

interface Picked {
  createWritable(): Promise<WritableStream<Uint8Array>>;
}

type PickFile = (options: { suggestedName: string }) => Promise<Picked>;

/** Chromium's; others have none. */
export function filePicker(): PickFile | undefined {
  const { showSaveFilePicker: pick } = window as unknown as { showSaveFilePicker?: PickFile };
  return pick?.bind(window);
}

/** Never rejects. */
export async function describeBrowser(): Promise<Browser> {
  const store =
    typeof navigator.storage?.getDirectory === "function" && "createWritable" in (globalThis.FileSystemFileHandle?.prototype ?? {});
  const { quota, usage } = store ? await navigator.storage.estimate().catch(() => ({ quota: undefined, usage: undefined })) : {};
  return {
    secure: window.isSecureContext,
    capable: "RTCPeerConnection" in window,
    store,
    freeBytes: quota === undefined ? undefined : quota - (usage ?? 0),
    picker: filePicker() !== undefined,
  };
}

/** As webtorrent calls it. */
export function folderOf({ name, infoHash }: { readonly name: string; readonly infoHash: string }): string {
  return `${name} - ${infoHash.slice(0, 8)}`;
}

/** Whether something is kept for a torrent, from an earlier visit. */
export async function isKept(folder: string): Promise<boolean> {
  try {
    await (await navigator.storage.getDirectory()).getDirectoryHandle(folder);
    return true;
  } catch {
    return false;
  }
}

/** Removes what is kept. */
export async function removeKept(folder: string): Promise<void> {
  await (await navigator.storage.getDirectory()).removeEntry(folder, { recursive: true });
}
