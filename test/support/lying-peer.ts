/**
 * A peer on a real socket that says it has every piece and then misbehaves as the test wants.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { encodeHandshake, HANDSHAKE_BYTES } from "../../peer/engine/wire/handshake.ts";
import { type BlockRange, encodeBlockHeader, encodeFlag, encodeIndex, encodeRanges, MESSAGE } from "../../peer/engine/wire/messages.ts";
import type { PeerId } from "../../torrents/ids.ts";

/** What it does with a request. `silence`: nothing at all. */
export type Answer = { readonly block: Buffer } | "reject" | "silence";

export interface LyingPeer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
  /** Connections that shook hands so far. */
  readonly greeted: number;
}

/** `answer` gets each request, with its number on the connection, from 0. */
export async function startLyingPeer(pieceCount: number, answer: (range: BlockRange, number: number) => Answer): Promise<LyingPeer> {
  const sockets = new Set<net.Socket>();
  const peerId = Buffer.concat([Buffer.from("-LI0000-"), randomBytes(12)]).toString("hex") as PeerId;
  const state = { greeted: 0 };
  const server = net.createServer((socket) => {
    sockets.add(socket);
    serve(socket, { pieceCount, answer, peerId, onGreeted: () => state.greeted++ });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: { host: "127.0.0.1", port: (server.address() as net.AddressInfo).port },
    get greeted() {
      return state.greeted;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

interface Liar {
  readonly pieceCount: number;
  readonly answer: (range: BlockRange, number: number) => Answer;
  readonly peerId: PeerId;
  readonly onGreeted: () => void;
}

function serve(socket: net.Socket, liar: Liar): void {
  let seen = Buffer.alloc(0);
  let greeted = false;
  let requests = 0;
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    if (!greeted && seen.length >= HANDSHAKE_BYTES) {
      greeted = true;
      liar.onGreeted();
      socket.write(encodeHandshake({ infoHash: seen.toString("hex", 28, 48) as never, peerId: liar.peerId }));
      for (let index = 0; index < liar.pieceCount; index++) socket.write(encodeIndex(MESSAGE.have, index));
      socket.write(encodeFlag(MESSAGE.unchoke));
      seen = seen.subarray(HANDSHAKE_BYTES);
    }
    while (greeted && seen.length >= 4 && seen.length >= 4 + seen.readUInt32BE(0)) {
      const message = seen.subarray(4, 4 + seen.readUInt32BE(0));
      seen = seen.subarray(4 + message.length);
      if (message[0] !== MESSAGE.request) continue;
      const range = { index: message.readUInt32BE(1), begin: message.readUInt32BE(5), length: message.readUInt32BE(9) };
      const answer = liar.answer(range, requests++);
      if (answer === "reject") socket.write(encodeRanges(MESSAGE.reject, [range]));
      else if (answer !== "silence") socket.write(Buffer.concat([encodeBlockHeader(range), answer.block]));
    }
  });
}
