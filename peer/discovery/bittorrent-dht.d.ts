/** What is used of bittorrent-dht, which has no types of its own. */
declare module "bittorrent-dht" {
  import type { Socket } from "node:dgram";
  import type { EventEmitter } from "node:events";

  export interface DhtNode {
    readonly host: string;
    readonly port: number;
  }

  interface DhtEvents {
    peer: [peer: DhtNode, infoHash: Buffer];
    announce: [peer: DhtNode, infoHash: Buffer];
    warning: [error: Error];
    error: [error: Error];
  }

  export class Client extends EventEmitter<DhtEvents> {
    constructor(options: { bootstrap: readonly DhtNode[] | false; socket: Socket; maxPeers: number; maxTables: number; maxValues: number });
    address(): { readonly address: string; readonly port: number };
    addNode(node: DhtNode): void;
    /** Searches the table; peers are told by events. */
    lookup(infoHash: string, done: (error: Error | null) => void): void;
    /** Tells the nodes that the last lookup found (of the last five minutes; else it does one first) that we have it. */
    announce(infoHash: string, port: number, done: (error: Error | null) => void): void;
    toJSON(): { readonly nodes: readonly DhtNode[] };
    destroy(done: () => void): void;
  }
}
