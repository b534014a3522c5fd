/**
 * Stands between a peer and a peer port, and keeps what the port's side says: what somebody on the way would see.
 */
import { EventEmitter, once } from "node:events";
import net from "node:net";

export interface ByteTap extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
  /** What went each way, a buffer for each direction of each connection. */
  readonly streams: readonly Buffer[];
  /** `closed`: a connection ended. */
  readonly events: EventEmitter<{ closed: [] }>;
}

export async function startTap(port: number): Promise<ByteTap> {
  const kept: Buffer[][] = [];
  const events = new EventEmitter<{ closed: [] }>();
  const sockets = new Set<net.Socket>();
  const server = net.createServer((near) => {
    const far = net.connect(port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      const own: Buffer[] = [];
      kept.push(own);
      sockets.add(from);
      from.on("data", (chunk: Buffer) => void own.push(chunk));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        if (from === near) events.emit("closed");
      });
      from.pipe(to);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: { host: "127.0.0.1", port: (server.address() as net.AddressInfo).port },
    get streams() {
      return kept.map((chunks) => Buffer.concat(chunks));
    },
    events,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
