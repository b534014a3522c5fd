/** The part of webtorrent that the benchmark uses; the package has no types. */
declare module "webtorrent" {
  import type { EventEmitter } from "node:events";

  export interface WebTorrentTorrent extends EventEmitter {
    addPeer(peer: string): boolean;
  }

  export default class WebTorrent {
    constructor(options: Readonly<Record<string, unknown>>);
    readonly torrentPort: number;
    add(torrent: string, options: { path: string }): WebTorrentTorrent;
  }
}
