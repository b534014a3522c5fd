/** The name of the output where none was given: the last segment of the URL's path, as wget does. Decides. */
import { safeName } from "../../torrents/safe-name.ts";

export function outputName(url: string): string {
  const segment =
    URL.parse(url)
      ?.pathname.split("/")
      .filter((part) => part !== "")
      .at(-1) ?? "";
  const name = safeName(decode(segment));
  return segment === "" || name === "" ? "index.html" : name;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
