/**
 * Bytes that a stranger may send to a running supernode's port: it answers or hangs up, and goes on.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import test from "ava";
import WebSocket from "ws";
import { LINK_PATH } from "../../../torrents/seeder-link.ts";
import { startSupernode } from "./support/start-supernode.ts";

const BINARY_HASH = "a".repeat(20);

/** Sends raw bytes and answers all that comes back until the other side hangs up. */
async function sendRaw(port: number, bytes: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  let answer = "";
  socket.setEncoding("latin1").on("data", (text: string) => (answer += text));
  socket.on("error", () => undefined);
  socket.setTimeout(5000, () => socket.destroy());
  socket.write(bytes);
  await once(socket, "close");
  return answer;
}

function upgrade(path: string): string {
  const headers = ["host: x", "connection: Upgrade", "upgrade: websocket", "sec-websocket-version: 13"];
  return `GET ${path} HTTP/1.1\r\n${headers.join("\r\n")}\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
}

async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  socket.on("error", () => undefined);
  await once(socket, "open");
  return socket;
}

for (const path of ["//", "//[", "http://[/", "/nowhere", "*"]) {
  test(`openSupernode() outlives an upgrade to ${path}`, async (t) => {
    await using supernode = await startSupernode();
    t.regex(await sendRaw(supernode.port, upgrade(path)), /^HTTP\/1.1 4\d\d /);
    t.is((await fetch(`${supernode.url}/healthz`)).status, 200);
  });
}

for (const message of [
  { action: "announce", offers: [null], left: 1, event: "started" },
  { action: "announce", offers: [1, "x"], left: 1 },
  { action: "scrape", info_hash: 5 },
  { action: "scrape", info_hash: {} },
  { action: "announce", answer: {}, to_peer_id: "9".repeat(20) },
  null,
]) {
  test(`openSupernode() outlives the WebSocket message ${JSON.stringify(message)}`, async (t) => {
    await using supernode = await startSupernode({ openTracker: true });
    const url = supernode.url.replace("http", "ws");
    const good = await openSocket(`${url}/announce`);
    const announce = { action: "announce", info_hash: BINARY_HASH, peer_id: "1".repeat(20), left: 1, event: "started" };
    good.send(JSON.stringify(announce));
    await once(good, "message");
    const bad = await openSocket(`${url}/announce`);
    const ended = Promise.race([once(bad, "close"), once(bad, "message")]);
    bad.send(JSON.stringify(message && { ...announce, peer_id: "2".repeat(20), ...message }));
    if (!(message !== null && "answer" in message)) await ended;
    bad.terminate();
    good.send(JSON.stringify({ ...announce, event: "update" }));
    const [answer] = await once(good, "message");
    t.is(JSON.parse(String(answer)).action, "announce");
    good.terminate();
  });
}

test("openSupernode() outlives short and senseless datagrams, and does not answer them", async (t) => {
  await using supernode = await startSupernode();
  const socket = createSocket("udp4");
  for (const length of [0, 1, 15, 16, 20, 97]) socket.send(Buffer.alloc(length, 0xff), supernode.port, "127.0.0.1");
  const connectRequest = Buffer.from("0000041727101980" + "00000000" + "01020304", "hex");
  for (const length of [20, 97]) {
    const announce = Buffer.alloc(length);
    connectRequest.copy(announce);
    announce.writeUInt32BE(1, 8);
    socket.send(announce, supernode.port, "127.0.0.1");
  }
  socket.send(connectRequest, supernode.port, "127.0.0.1");
  const [answer] = await once(socket, "message");
  // the action and the transaction; the connection id behind them is nobody's to guess
  t.is((answer as Buffer).toString("hex", 0, 8), `${"00000000"}${"01020304"}`);
  t.is((answer as Buffer).length, 16);
  t.not((answer as Buffer).toString("hex", 8), "0000041727101980");
  socket.close();
});

for (const text of ["nonsense", "{}", JSON.stringify({ kind: "task" }), JSON.stringify({ kind: "hello", key: "", signature: "" })]) {
  test(`openSupernode() hangs up a seeder link that begins with ${text}`, async (t) => {
    await using supernode = await startSupernode();
    const socket = await openSocket(supernode.url.replace("http", "ws") + LINK_PATH);
    socket.send(text);
    const [code] = await once(socket, "close");
    t.is(code, 4400);
  });
}
