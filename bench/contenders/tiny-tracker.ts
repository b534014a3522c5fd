/**
 * A tracker that tells everybody the same one peer; for clients that can be told of a peer in no other way.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface TinyTracker extends AsyncDisposable {
  readonly url: string;
}

const INTERVAL_SECONDS = 1800;

/** `peer` as host:port (IPv4), or undefined for an empty answer. */
export async function startTinyTracker(peer: string | undefined): Promise<TinyTracker> {
  const compact = peer === undefined ? Buffer.alloc(0) : compactPeer(peer);
  const head = `d8:completei1e10:incompletei1e8:intervali${INTERVAL_SECONDS}e5:peers${compact.length}:`;
  const body = Buffer.concat([Buffer.from(head), compact, Buffer.from("e")]);
  const server = createServer((_request, response) => void response.end(body)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/announce`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function compactPeer(peer: string): Buffer {
  const [host, port] = peer.split(":");
  const bytes = Buffer.alloc(6);
  bytes.set(host.split(".").map(Number));
  bytes.writeUInt16BE(Number(port), 4);
  return bytes;
}
