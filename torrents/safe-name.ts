/**
 * A file name that a stranger proposed, made harmless. Decides.
 * Invariant: safeName(safeName(text)) === safeName(text), so that a receiver may refuse any other name.
 */

const MOST_BYTES = 255;
/** Controls (C1 too: terminals obey them), separators, line ends, and the marks that turn the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const UNSAFE = /[\u0000-\u001f\u007f-\u009f/\\\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Never empty, no separators or control characters, not `.` or `..`, at most 255 bytes of UTF-8. */
export function safeName(text: string): string {
  // the cut comes first: no character is shorter in UTF-8 than in UTF-16, and a megabyte is not worth cleaning
  const clean = text.trimStart().slice(0, MOST_BYTES).toWellFormed().replace(UNSAFE, "_");
  const name = cutTo(clean, MOST_BYTES).trim();
  return name === "" || name === "." || name === ".." ? "download" : name;
}

/** The longest run of whole characters from the front that fits. */
function cutTo(text: string, mostBytes: number): string {
  let lengthBytes = 0;
  let end = 0;
  for (const character of text) {
    lengthBytes += Buffer.byteLength(character);
    if (lengthBytes > mostBytes) return text.slice(0, end);
    end += character.length;
  }
  return text;
}
