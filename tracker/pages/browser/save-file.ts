/**
 * Hands a stream to the user as a file: a long one straight into the file that he chooses, where the browser can; else as a download. Drives.
 */
import { STREAMED_FROM_BYTES } from "./keep-plan.ts";
import { filePicker } from "./own-store.ts";

/** The link is followed after the click; the address is not needed for longer. */
const ADDRESS_MS = 60_000;

/** Saves it, unless the user chooses no file. */
export async function saveFile(name: string, lengthBytes: number, open: () => ReadableStream<Uint8Array>): Promise<void> {
  const pick = lengthBytes > STREAMED_FROM_BYTES ? filePicker() : undefined;
  if (pick === undefined) return offerBlob(name, await blobOf(open()));
  const file = await pick({ suggestedName: name }).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") return undefined;
    throw error;
  });
  if (file !== undefined) await open().pipeTo(await file.createWritable());
}

/** Piece by piece: the browser moves blobs out of the page's memory. */
async function blobOf(stream: ReadableStream<Uint8Array>): Promise<Blob> {
  const parts: Blob[] = [];
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(new Blob([next.value as BlobPart]));
  return new Blob(parts, { type: "application/octet-stream" });
}

function offerBlob(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), ADDRESS_MS);
}
