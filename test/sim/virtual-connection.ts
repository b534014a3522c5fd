/** A connection between two virtual torrents, as it is after the handshake: real links and parsers over a virtual network. */
import type { Connection } from "../../peer/engine/connection.ts";
import { PeerLink } from "../../peer/engine/peer-link.ts";
import type { SwarmTorrent } from "../../peer/engine/swarm-torrent.ts";
import { encodeExtendedHandshake } from "../../peer/engine/wire/extended-handshake.ts";
import { encodeExtended } from "../../peer/engine/wire/messages.ts";
import { WireParser } from "../../peer/engine/wire/wire-parser.ts";
import type { PeerId } from "../../torrents/ids.ts";
import type { VirtualHost, VirtualStream } from "./virtual-network.ts";
import type { VirtualTime } from "./virtual-time.ts";

const BLOCK_BYTES = 128 * 1024;
const MESSAGE_BYTES = 1024 * 1024;
const REQUEST_QUEUE = 1000;

export interface VirtualPeer {
  readonly torrent: SwarmTorrent;
  readonly host: VirtualHost;
  readonly peerId: PeerId;
}

/** One side of a connection. */
interface Side {
  readonly peer: VirtualPeer;
  readonly link: PeerLink;
  readonly send: (message: Buffer) => void;
  readonly receive: (bytes: Buffer) => void;
  readonly attach: (out: VirtualStream) => void;
}

/** Connects the two and has each tell the other what it offers. */
export function connectVirtually(time: VirtualTime, dialling: VirtualPeer, dialled: VirtualPeer): void {
  const one = makeSide(time, { peer: dialling, other: dialled, incoming: false });
  const other = makeSide(time, { peer: dialled, other: dialling, incoming: true });
  one.attach(dialling.host.open({ to: dialled.host, deliver: other.receive, onDrain: () => dialling.torrent.uploader.pump(one.link) }));
  other.attach(dialled.host.open({ to: dialling.host, deliver: one.receive, onDrain: () => dialled.torrent.uploader.pump(other.link) }));
  for (const { peer, link, send } of [one, other]) {
    peer.torrent.links.add(link);
    const offer = { metadataBytes: 0, port: 1, live: true, blockBytes: BLOCK_BYTES, requestQueue: REQUEST_QUEUE, version: "" };
    send(encodeExtended(0, encodeExtendedHandshake(offer)));
    peer.torrent.links.onGreeted(link);
  }
}

function makeSide(time: VirtualTime, { peer, other, incoming }: { peer: VirtualPeer; other: VirtualPeer; incoming: boolean }): Side {
  let out: VirtualStream | undefined;
  const send = (message: Buffer): void => out?.write(message);
  const connection = {
    incoming,
    host: other.peerId,
    port: 1,
    closed: false,
    get bufferedBytes() {
      return out?.bufferedBytes ?? 0;
    },
    send,
    sendBlock: (header: Buffer, block: Buffer, onSent: () => void) => {
      send(header);
      out?.write(block, onSent);
    },
    dropBlock: () => parser.dropBlock(),
    sendAlong: send,
    sendKeepAlive: () => undefined,
    close: (reason: string) => {
      throw new Error(`a connection was closed: ${reason}`);
    },
  };
  const { torrent } = peer;
  const link = new PeerLink({
    connection: connection as unknown as Connection,
    peerId: other.peerId,
    infoHash: torrent.infoHash,
    fast: true,
    pieceCount: torrent.geometry.pieceCount,
    events: torrent.links,
    nowMs: () => time.nowMs,
  });
  const parser = new WireParser(link, { blockBytes: BLOCK_BYTES, messageBytes: MESSAGE_BYTES });
  const receive = (bytes: Buffer): void => parser.feed(bytes, bytes.length);
  return { peer, link, send, receive, attach: (stream) => void (out = stream) };
}
