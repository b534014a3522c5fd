/**
 * Whether a task's origin goes into its final torrents as a web seed (BEP 19), so that standard clients may complete from it. Decides.
 *
 * Only what anybody may read and whose address says nothing that is not for all: the torrent of a task is handed to whoever asks.
 */
import { hasUrlSecrets } from "./shown-url.ts";

export interface WebSeedFacts {
  readonly url: string;
  /** False: only some bytes of the URL are the content. */
  readonly isWhole: boolean;
  readonly private: boolean;
  /** The origin gives byte ranges. */
  readonly ranges: boolean;
}

const MOST_LENGTH = 2048;

/**
 * The same for a v2 torrent: libtorrent 2.0 pads the end of a lone v2 file, takes the torrent for one of several files, and asks for the
 * name below the URL. The folder's URL is right for it and for everybody else, where the file has the torrent's name there.
 */
export function webSeedOfV2(url: string, name: string): string {
  const { search, pathname } = new URL(url);
  const last = pathname.slice(pathname.lastIndexOf("/") + 1);
  return search === "" && last === encodeURIComponent(name) ? url.slice(0, url.length - last.length) : url;
}

/** The URL that torrents name; undefined: none. */
export function originWebSeed({ url, isWhole, ranges, ...task }: WebSeedFacts): string | undefined {
  if (task.private || !ranges || !isWhole || url.length > MOST_LENGTH || !URL.canParse(url)) return undefined;
  const { protocol, pathname } = new URL(url);
  // behind a slash clients would put the torrent's name
  const usable = /^https?:$/.test(protocol) && !pathname.endsWith("/") && !url.endsWith("/") && !hasUrlSecrets(url);
  return usable ? url.split("#", 1)[0] : undefined;
}
