/**
 * A file name that a stranger proposed, made harmless. Decides.
 */

const MOST_BYTES = 255;
/** Controls, separators, and the marks that turn the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const UNSAFE = /[\u0000-\u001f\u007f/\\\u202a-\u202e\u2066-\u2069]/g;

/** Never empty, no separators or control characters, not `.` or `..`, at most 255 bytes of UTF-8. */
export function safeName(text: string): string {
  let name = text.replace(UNSAFE, "_").toWellFormed().trim();
  while (Buffer.byteLength(name) > MOST_BYTES) name = name.slice(0, -1).toWellFormed();
  return name === "" || name === "." || name === ".." ? "download" : name;
}
