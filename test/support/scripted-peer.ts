/**
 * A client of a kind that we meet in the wild, as a script: it accepts one connection, shakes hands, and says and answers what the test
 * wants. For peculiarities that no client at hand can be told to show.
 */
import { once } from "node:events";
import net from "node:net";
import { encodeHandshake, HANDSHAKE_BYTES } from "../../peer/engine/wire/handshake.ts";
import { newPeerId } from "./hostile-peer.ts";

export interface Heard {
  readonly id: number;
  readonly payload: Buffer;
}

/** What the script does with its connection. */
export interface Script {
  /** Reserved bytes of its handshake that are not zero, by their place. */
  readonly reserved?: Readonly<Record<number, number>>;
  /** Said right behind the handshake. */
  readonly greeting: Buffer;
  /** What it answers. */
  answer(message: Heard): Buffer | undefined | Promise<Buffer | undefined>;
}

export interface ScriptedPeer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
  /** All messages so far; keep-alives have the id -1. */
  readonly heard: readonly Heard[];
}

export async function startScriptedPeer(script: Script): Promise<ScriptedPeer> {
  const heard: Heard[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    play(socket, script, heard);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: { host: "127.0.0.1", port: (server.address() as net.AddressInfo).port },
    heard,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function play(socket: net.Socket, script: Script, heard: Heard[]): void {
  let seen = Buffer.alloc(0);
  let greeted = false;
  socket.on("data", (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    if (!greeted && seen.length >= HANDSHAKE_BYTES) {
      greeted = true;
      socket.write(Buffer.concat([handshakeFor(seen, script), script.greeting]));
      seen = seen.subarray(HANDSHAKE_BYTES);
    }
    while (greeted && seen.length >= 4 && seen.length >= 4 + seen.readUInt32BE(0)) {
      const bytes = seen.subarray(4, 4 + seen.readUInt32BE(0));
      seen = seen.subarray(4 + bytes.length);
      const message = { id: bytes.length === 0 ? -1 : bytes[0], payload: Buffer.from(bytes.subarray(1)) };
      heard.push(message);
      const answer = script.answer(message);
      if (answer instanceof Promise) void answer.then((bytes) => bytes && socket.write(bytes));
      else if (answer !== undefined) socket.write(answer);
    }
  });
}

function handshakeFor(theirs: Buffer, { reserved }: Script): Buffer {
  const bytes = encodeHandshake({ infoHash: theirs.toString("hex", 28, 48) as never, peerId: newPeerId() });
  bytes.fill(0, 20, 28);
  for (const [at, value] of Object.entries(reserved ?? {})) bytes[20 + Number(at)] = value;
  return bytes;
}
