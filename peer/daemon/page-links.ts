/**
 * The entries that an index page of a web server (nginx, Apache and their like) names: links to what is right below the
 * page, at the same host. Decides.
 */
import type { OriginEntry } from "../../origin/types.ts";
import { safeName } from "../../torrents/safe-name.ts";

/** Index pages are simple, and what is misread is only a link less or a 404 more. Linear in time: anchors do not overlap. */
const ANCHOR = /<a\s([^<>]{1,6000})>/gi;
const HREF = /(?:^|\s)href\s{0,9}=\s{0,9}(?:"([^"]{1,4096})"|'([^']{1,4096})'|([^\s"']{1,4096}))/i;
const ENTITIES: Readonly<Record<string, string>> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&#x27;": "'" };

/** At most `most` entries, in the page's order, each once; `url` ends with a slash. */
export function pageLinks(html: string, options: { url: string; most: number }): OriginEntry[] {
  const base = new URL(options.url);
  const entries = new Map<string, OriginEntry>();
  for (const [, attributes] of html.matchAll(ANCHOR)) {
    if (entries.size >= options.most) break;
    const match = HREF.exec(attributes);
    const entry = match === null ? undefined : entryOf(decodeEntities(match[1] ?? match[2] ?? match[3] ?? ""), base);
    if (entry !== undefined) entries.set(entry.url, entry);
  }
  return [...entries.values()];
}

/** Only what is one step below the page: no parents, no other hosts, no orders of sorting (`?C=M`). */
function entryOf(href: string, base: URL): OriginEntry | undefined {
  const url = URL.parse(href, base.href);
  if (url === null || url.origin !== base.origin || url.search !== "" || !url.pathname.startsWith(base.pathname)) return undefined;
  const rest = url.pathname.slice(base.pathname.length);
  const isDirectory = rest.endsWith("/");
  const segment = isDirectory ? rest.slice(0, -1) : rest;
  if (segment === "" || segment.includes("/")) return undefined;
  url.hash = "";
  return { name: safeName(decodeSegment(segment)), url: url.href, isDirectory, lengthBytes: undefined };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function decodeEntities(text: string): string {
  return text.replace(/&(?:amp|lt|gt|quot|#39|#x27);/gi, (entity) => ENTITIES[entity.toLowerCase()]);
}
