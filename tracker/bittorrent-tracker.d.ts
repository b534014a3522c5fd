/** What we use of the bittorrent-tracker package, which ships no types. */
declare module "bittorrent-tracker/server" {
  import type { EventEmitter } from "node:events";
  import type { IncomingMessage } from "node:http";
  import type { WebSocket } from "ws";

  /** A connection, with what the server keeps there. */
  export type AnnouncingSocket = WebSocket & {
    upgradeReq: IncomingMessage | null;
    onMessageBound: ((message: unknown) => void) | undefined;
    /** Hex, of its first message. */
    peerId: string | null;
    /** Swarms that it announced to, hex. */
    infoHashes: string[] | null;
  };

  export interface AnnounceParams {
    readonly event: string;
    readonly peer_id: string;
    readonly left: number;
    readonly numwant: number;
    readonly answer?: object;
    /** Absent where the connection ended. */
    readonly socket?: AnnouncingSocket;
  }

  export interface SwarmLike {
    announce(params: AnnounceParams, callback?: (error: Error | null, response?: object) => void): void;
    scrape(params: unknown, callback: (error: Error | null, response?: object) => void): void;
    readonly peers: { get(peerId: string): unknown };
  }

  type SwarmCallback = (error: Error | null, swarm?: SwarmLike) => void;

  export default class Server extends EventEmitter {
    constructor(options: object);
    torrents: Record<string, SwarmLike>;
    onWebSocketConnection(socket: AnnouncingSocket): void;
    createSwarm(infoHash: string, callback: SwarmCallback): void;
    getSwarm(infoHash: string, callback: SwarmCallback): void;
  }
}
