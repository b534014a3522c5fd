/**
 * The least that a peer can do: receive over TCP, hash every 16 KiB, write to a file, all on one thread; no protocol, no scheduling, one
 * source. What several of these need together on a machine is the floor for everything that verifies and stores.
 *
 * `source LENGTH` sends so many bytes to whoever connects; `sink PORT LENGTH OUTPUT` takes them after `go`; `relay PORT LENGTH OUTPUT`
 * sends what it took on to one that connects to it.
 */
import { hash } from "node:crypto";
import { openSync, writeSync } from "node:fs";
import net from "node:net";
import { BLOCK_BYTES } from "../../torrents/geometry.ts";

const PIECE_BYTES = 512 * 1024;
const READ_BYTES = 1024 * 1024;

const [role, ...args] = process.argv.slice(2);
if (role === "source") serve(Number(args[0]));
else await take({ port: Number(args[0]), lengthBytes: Number(args[1]), output: args[2], relays: role === "relay" });

function serve(lengthBytes: number): void {
  const piece = Buffer.alloc(PIECE_BYTES, "s");
  const server = net.createServer((socket) => {
    let left = lengthBytes;
    const send = (): void => {
      while (left > 0 && !socket.writableNeedDrain) {
        const part = piece.subarray(0, Math.min(left, PIECE_BYTES));
        left -= part.length;
        socket.write(part);
      }
      if (left === 0) socket.end();
    };
    socket.on("drain", send);
    send();
  });
  server.listen(0, "127.0.0.1", () => say({ port: (server.address() as net.AddressInfo).port }));
}

async function take(options: { port: number; lengthBytes: number; output: string; relays: boolean }): Promise<void> {
  const { port, lengthBytes, output, relays } = options;
  const file = openSync(output, "w");
  let follower: net.Socket | undefined;
  const server = relays ? net.createServer((socket) => (follower = socket)) : undefined;
  if (server !== undefined) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  say({ ready: 1, port: server === undefined ? 0 : (server.address() as net.AddressInfo).port });
  await new Promise((resolve) => process.stdin.once("data", resolve));
  let piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  let filled = 0;
  let stored = 0;
  const store = (): void => {
    for (let at = 0; at < filled; at += BLOCK_BYTES) hash("sha256", piece.subarray(at, Math.min(filled, at + BLOCK_BYTES)), "buffer");
    writeSync(file, piece, 0, filled, stored);
    stored += filled;
    if (follower !== undefined) {
      follower.write(piece.subarray(0, filled));
      piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    }
    filled = 0;
    if (stored === lengthBytes) say({ done: 1 });
  };
  const onBytes = (count: number, buffer: Uint8Array): boolean => {
    for (let at = 0; at < count; ) {
      const part = Math.min(count - at, PIECE_BYTES - filled);
      piece.set(buffer.subarray(at, at + part), filled);
      filled += part;
      at += part;
      if (filled === PIECE_BYTES || stored + filled === lengthBytes) store();
    }
    return true;
  };
  net.connect({ port, host: "127.0.0.1", onread: { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback: onBytes } });
}

function say(line: Readonly<Record<string, number>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
