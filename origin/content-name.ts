/**
 * The file name of a download: from Content-Disposition (RFC 6266, RFC 8187), else from the URL. Decides.
 */
import { safeName } from "../torrents/safe-name.ts";

/** Always a safe name. */
export function contentName(disposition: string | undefined, url: string): string {
  const extended = /filename\*\s*=\s*UTF-8''([^;]+)/i.exec(disposition ?? "")?.[1];
  const quoted = /filename\s*=\s*"((?:[^"\\]|\\.)*)"/i.exec(disposition ?? "")?.[1]?.replace(/\\(.)/g, "$1");
  const bare = /filename\s*=\s*([^";\s]+)/i.exec(disposition ?? "")?.[1];
  const path = new URL(url).pathname;
  return safeName(lastSegment(extended === undefined ? (quoted ?? bare ?? decode(lastSegment(path))) : decode(extended)));
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
