/** What we, the benchmarks and the tests use of the webtorrent package, which ships no types. */
declare module "webtorrent" {
  import type { EventEmitter } from "node:events";

  export interface Wire extends EventEmitter {
    readonly destroyed: boolean;
    readonly type: string;
    destroy(): void;
  }

  export interface WebTorrentTorrent extends EventEmitter {
    readonly infoHash: string;
    readonly destroyed: boolean;
    /** It has everything. */
    readonly done: boolean;
    readonly files: readonly { arrayBuffer(): Promise<ArrayBuffer> }[];
    /** Trackers. */
    announce: string[];
    addPeer(address: string): boolean;
    destroy(options?: object, done?: (error?: Error) => void): void;
  }

  export default class WebTorrent extends EventEmitter {
    constructor(options: object);
    readonly destroyed: boolean;
    readonly torrentPort: number;
    add(torrent: string | Uint8Array, options?: object): WebTorrentTorrent;
    destroy(done: (error?: Error | null) => void): void;
  }
}
