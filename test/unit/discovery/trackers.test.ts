/** TrackerClient against real sockets: UDP with lost and forged datagrams, HTTP with redirects, endless and silent answers. */
import dgram from "node:dgram";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import test from "ava";
import type { Announce } from "../../../peer/discovery/announce.ts";
import { httpGet } from "../../../peer/discovery/http-get.ts";
import { TrackerClient } from "../../../peer/discovery/tracker-client.ts";
import { UdpTrackers } from "../../../peer/discovery/udp-tracker.ts";
import { encode } from "../../../torrents/bencode.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";

const NEVER = new AbortController().signal;
const ANNOUNCE: Announce = {
  infoHash: "ab".repeat(20) as InfoHash,
  peerId: "2d".repeat(20) as PeerId,
  port: 7,
  uploaded: 0,
  downloaded: 0,
  left: 1,
  numwant: 50,
};

function client() {
  const udp = new UdpTrackers({ nowMs: () => performance.now(), random: Math.random });
  return {
    client: new TrackerClient({ get: httpGet, udp }),
    [Symbol.asyncDispose]: () => udp[Symbol.asyncDispose](),
  };
}

/** Answers each datagram with what `answer` makes of it. */
async function udpServer(answer: (datagram: Buffer, send: (bytes: Buffer) => void) => void, family: 4 | 6 = 4) {
  const socket = dgram.createSocket(family === 4 ? "udp4" : "udp6");
  socket.on("message", (datagram, { address, port }) => answer(datagram, (bytes) => socket.send(bytes, port, address)));
  socket.bind(0, family === 4 ? "127.0.0.1" : "::1");
  await once(socket, "listening");
  const host = family === 4 ? "127.0.0.1" : "[::1]";
  return { url: `udp://${host}:${socket.address().port}`, [Symbol.dispose]: () => socket.close() };
}

function connected(datagram: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(4), datagram.subarray(12, 16), Buffer.alloc(8, 9)]);
}

function announced(datagram: Buffer, peers: Buffer): Buffer {
  const numbers = Buffer.from("0000003c" + "00000001" + "00000002", "hex");
  return Buffer.concat([Buffer.from("00000001", "hex"), datagram.subarray(12, 16), numbers, peers]);
}

test("TrackerClient announces over UDP, connects once a minute only, and ignores answers to other questions", async (t) => {
  const actions: number[] = [];
  using server = await udpServer((datagram, send) => {
    actions.push(datagram.readUInt32BE(8));
    if (actions.at(-1) === 0) return send(connected(datagram));
    const forged = announced(datagram, Buffer.from([6, 6, 6, 6, 0, 6]));
    forged.writeUInt32BE((forged.readUInt32BE(4) + 1) % 2 ** 32, 4);
    send(forged);
    send(Buffer.from("short"));
    send(announced(datagram, Buffer.from([10, 0, 0, 1, 0, 80])));
  });
  await using asking = client();
  const trackers = asking.client;
  const options = { signal: NEVER, timeoutMs: 10_000 };
  const answer = await trackers.announce(server.url, ANNOUNCE, options);
  t.like(answer, { peers: [{ host: "10.0.0.1", port: 80 }], intervalS: 60, leeches: 1, seeds: 2 });
  await trackers.announce(server.url, ANNOUNCE, options);
  t.deepEqual(actions, [0, 1, 1]);
});

test("TrackerClient sends a lost datagram again, and hears refusals", async (t) => {
  let lost = false;
  using server = await udpServer((datagram, send) => {
    if (!lost) {
      lost = true;
      return;
    }
    const refused = Buffer.concat([Buffer.from("00000003", "hex"), datagram.subarray(12, 16), Buffer.from("go away")]);
    send(datagram.readUInt32BE(8) === 0 ? connected(datagram) : refused);
  });
  await using asking = client();
  const trackers = asking.client;
  t.is((await trackers.announce(server.url, ANNOUNCE, { signal: NEVER, timeoutMs: 30_000 })).failure, "go away");
});

test("TrackerClient reads IPv6 peers where it asked over IPv6", async (t) => {
  const peer = Buffer.concat([Buffer.alloc(15), Buffer.from([1, 0, 80])]);
  using server = await udpServer((datagram, send) => {
    send(datagram.readUInt32BE(8) === 0 ? connected(datagram) : announced(datagram, peer));
  }, 6);
  await using asking = client();
  const trackers = asking.client;
  t.deepEqual((await trackers.announce(server.url, ANNOUNCE, { signal: NEVER, timeoutMs: 10_000 })).peers, [{ host: "::1", port: 80 }]);
});

test("TrackerClient gives up on a silent tracker in time, and does not know WebSocket", async (t) => {
  using silent = await udpServer(() => undefined);
  await using asking = client();
  const trackers = asking.client;
  await t.throwsAsync(trackers.announce(silent.url, ANNOUNCE, { signal: NEVER, timeoutMs: 50 }), { code: "timeout" });
  await t.throwsAsync(trackers.announce("wss://t", ANNOUNCE, { signal: NEVER, timeoutMs: 50 }), { code: "unsupported_scheme" });
  const aborted = AbortSignal.abort(new Error("enough"));
  await t.throwsAsync(trackers.announce(silent.url, ANNOUNCE, { signal: aborted, timeoutMs: 50 }), { message: "enough" });
});

async function httpServer(handle: http.RequestListener) {
  const server = http.createServer(handle);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => void (server.closeAllConnections(), await new Promise((resolve) => server.close(resolve))),
  };
}

test("TrackerClient follows redirects, but not for ever, and to http only", async (t) => {
  await using server = await httpServer((request, response) => {
    const url = new URL(request.url ?? "", "http://x");
    if (url.pathname === "/ok") return response.end(encode({ interval: 60, peers: Buffer.alloc(0) }));
    const target = { "/moved": `/ok${url.search}`, "/file": "file:///etc/passwd" }[url.pathname] ?? url.pathname;
    return response.writeHead(302, { location: target }).end();
  });
  await using asking = client();
  const trackers = asking.client;
  const options = { signal: NEVER, timeoutMs: 10_000 };
  t.is((await trackers.announce(`${server.url}/moved`, ANNOUNCE, options)).intervalS, 60);
  await t.throwsAsync(trackers.announce(`${server.url}/loop`, ANNOUNCE, options), { code: "protocol" });
  await t.throwsAsync(trackers.announce(`${server.url}/file`, ANNOUNCE, options), { code: "protocol" });
});

test("TrackerClient leaves an endless answer after 256 KiB, and one that drips when its time is over", async (t) => {
  let sent = 0;
  const chunk = Buffer.alloc(64 * 1024, "1");
  await using server = await httpServer((request, response) => {
    if (request.url?.startsWith("/drip")) {
      response.write("d8:");
      return;
    }
    const pump = (): void => {
      // 100 MB, as fast as they are taken
      while (sent < 100 * 1024 * 1024 && !response.destroyed) {
        sent += chunk.length;
        if (!response.write(chunk)) return void response.once("drain", pump);
      }
    };
    pump();
  });
  await using asking = client();
  const trackers = asking.client;
  await t.throwsAsync(trackers.announce(`${server.url}/endless`, ANNOUNCE, { signal: NEVER, timeoutMs: 10_000 }), { code: "protocol" });
  // what was on the way: socket buffers of both sides
  t.true(sent < 20 * 1024 * 1024, `${sent}`);
  await t.throwsAsync(trackers.announce(`${server.url}/drip`, ANNOUNCE, { signal: NEVER, timeoutMs: 100 }), { code: "timeout" });
});
