/** The parts of untyped packages that the tests compare us with. */
declare module "bencode" {
  const bencode: { encode(value: unknown): Uint8Array; decode(bytes: Uint8Array): unknown };
  export default bencode;
}

declare module "create-torrent" {
  type Done = (error: Error | null, torrent: Uint8Array) => void;
  export default function createTorrent(
    input: Buffer & { name?: string },
    options: { name: string; pieceLength: number; announceList?: readonly (readonly string[])[] },
    done: Done,
  ): void;
}

declare module "parse-torrent" {
  export interface ParsedTorrent {
    readonly files?: readonly { readonly path: string; readonly length: number }[];
    readonly infoHash: string;
    readonly name: string;
    readonly length: number;
    readonly pieces: readonly string[];
    readonly announce: readonly string[];
  }
  export default function parseTorrent(torrent: Uint8Array | string): Promise<ParsedTorrent>;
}

declare module "bittorrent-tracker/client" {
  import type { EventEmitter } from "node:events";

  export default class Client extends EventEmitter {
    constructor(options: { infoHash: string; peerId: Buffer; announce: string; port: number });
    start(): void;
    scrape(): void;
    destroy(): void;
  }
}
