/** What we use of the bittorrent-tracker package, which ships no types. */
declare module "bittorrent-tracker/server" {
  import type { Socket } from "node:dgram";
  import type { EventEmitter } from "node:events";
  import type { IncomingMessage, ServerResponse } from "node:http";
  import type { WebSocket } from "ws";

  export interface AnnounceParams {
    readonly type: string;
    readonly event: string;
    readonly info_hash: string;
    readonly peer_id: string;
    readonly ip: string;
    readonly port: number;
    readonly left: number;
    readonly numwant: number;
    readonly socket?: unknown;
  }

  export interface SwarmLike {
    announce(params: AnnounceParams, callback?: (error: Error | null, response?: object) => void): void;
    scrape(params: unknown, callback: (error: Error | null, response?: object) => void): void;
    readonly peers: { get(peerId: string): unknown };
  }

  type SwarmCallback = (error: Error | null, swarm?: SwarmLike) => void;

  export default class Server extends EventEmitter {
    constructor(options: object);
    intervalMs: number;
    udp4: Socket | null;
    udp6: Socket | null;
    torrents: Record<string, SwarmLike>;
    onHttpRequest(request: IncomingMessage, response: ServerResponse, options?: object): void;
    onUdpRequest(message: Buffer, remote: object): void;
    onWebSocketConnection(socket: WebSocket): void;
    createSwarm(infoHash: string, callback: SwarmCallback): void;
    getSwarm(infoHash: string, callback: SwarmCallback): void;
  }
}
