/**
 * Announces and other requests on the same connections of a running supernode.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import test from "ava";
import { startSupernode } from "../support/start-supernode.ts";

const announce = (id: string, more = ""): string =>
  `GET /announce?info_hash=${"%ab".repeat(20)}&peer_id=-UT3600-${id.padStart(12, "0")}&port=${6880 + Number(id)}&left=1&compact=1${more} HTTP/1.1\r\nHost: x\r\n\r\n`;
const HEALTH = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/** Reads until the text was there so many times. */
async function readUntil(socket: Socket, text: string, times: number): Promise<string> {
  let got = "";
  for await (const [chunk] of on(socket)) {
    got += chunk.toString("latin1");
    if (got.split(text).length > times) return got;
  }
  return got;
}

async function* on(socket: Socket): AsyncGenerator<[Buffer]> {
  for (;;) yield (await once(socket, "data", { signal: AbortSignal.timeout(5000) })) as [Buffer];
}

test("HttpFront answers announces and hands everything else to the HTTP server, on one connection", async (t) => {
  await using supernode = await startSupernode({ openTracker: true });
  const socket = connect({ port: supernode.port, host: "127.0.0.1" });
  socket.write(announce("1"));
  t.regex(await readUntil(socket, "5:peers", 1), /^HTTP\/1\.1 200 OK\r\n.*d8:completei0e11:external ip4:/s);
  socket.write(announce("2"));
  await readUntil(socket, "5:peers", 1);
  socket.write(HEALTH);
  t.regex(await readUntil(socket, "tasks", 1), /"ready":true/);
  socket.write(announce("3"));
  t.regex(await readUntil(socket, "5:peers", 1), /10:incompletei3e/);
  socket.write(HEALTH + announce("4"));
  t.regex(await readUntil(socket, "5:peers", 1), /"ready":true.*10:incompletei4e/s);
  socket.destroy();
});

test("HttpFront answers announces that come many in a chunk, and one that comes in pieces", async (t) => {
  await using supernode = await startSupernode({ openTracker: true });
  const socket = connect({ port: supernode.port, host: "127.0.0.1", noDelay: true });
  socket.write(announce("1") + announce("2") + announce("3") + HEALTH);
  t.regex(await readUntil(socket, "tasks", 1), /incompletei1e.*incompletei2e.*incompletei3e.*"ready":true/s);
  socket.destroy();
  const slow = connect({ port: supernode.port, host: "127.0.0.1", noDelay: true });
  for (const part of announce("4").match(/.{1,60}/gs) ?? []) {
    slow.write(part);
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }
  t.regex(await readUntil(slow, "5:peers", 1), /incompletei4e/);
  slow.destroy();
});

test("HttpFront closes after an answer where that was asked for, and when the supernode ends", async (t) => {
  const supernode = await startSupernode({ openTracker: true });
  const last = connect({ port: supernode.port, host: "127.0.0.1" });
  last.write(announce("1").replace("Host: x", "Connection: close"));
  const ended = once(last, "end");
  t.regex(await readUntil(last, "5:peers", 1), /Connection: close/);
  await ended;
  const idle = connect({ port: supernode.port, host: "127.0.0.1" });
  idle.write(announce("2"));
  await readUntil(idle, "5:peers", 1);
  const closed = once(idle, "close");
  idle.on("error", () => undefined);
  await supernode[Symbol.asyncDispose]();
  await closed;
});

test("announces without sense get a bencoded reason", async (t) => {
  await using supernode = await startSupernode();
  const get = async (path: string): Promise<string> => (await fetch(`${supernode.url}${path}`)).text();
  t.is(await get("/announce"), "d14:failure reason21:there is no info_hashe");
  t.regex(await get("/scrape"), /^d14:failure reason/);
  t.regex(await get("/announce?info_hash=abc"), /invalid info_hash/);
});
