import type { RemoteInfo } from "node:dgram";
import test from "ava";
import { type OutboxSocket, UdpOutbox } from "../../../../tracker/announce/udp-outbox.ts";

/** Notes what it is to send. */
function fakeSocket(queuedBytes = 0): { socket: OutboxSocket; sent: string[] } {
  const sent: string[] = [];
  const send = (answer: Buffer, port: number, address: string): void => void sent.push(`${answer.toString("latin1")} ${address} ${port}`);
  return { socket: { send: send as OutboxSocket["send"], getSendQueueSize: () => queuedBytes }, sent };
}

const receiver = (port: number): RemoteInfo => ({ address: "10.0.0.1", family: "IPv4", port, size: 98 });

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test("UdpOutbox.put(): what came in one turn is sent at its end, each once, in order, to who asked", async (t) => {
  const { socket, sent } = fakeSocket();
  using outbox = new UdpOutbox(socket);
  outbox.put(Buffer.from("one"), receiver(1));
  outbox.put(Buffer.from("two"), receiver(2));
  t.deepEqual(sent, []);
  await turn();
  t.deepEqual(sent, ["one 10.0.0.1 1", "two 10.0.0.1 2"]);
  outbox.put(Buffer.from("three"), receiver(3));
  await turn();
  t.deepEqual(sent.slice(2), ["three 10.0.0.1 3"]);
});

test("UdpOutbox.put(): 64 do not wait for the end of the turn", async (t) => {
  const { socket, sent } = fakeSocket();
  using outbox = new UdpOutbox(socket);
  for (let port = 1; port <= 65; port++) outbox.put(Buffer.from("x"), receiver(port));
  t.is(sent.length, 64);
  await turn();
  t.deepEqual(sent.slice(64), ["x 10.0.0.1 65"]);
});

test("UdpOutbox.put(): answers are dropped while the system takes none, and after the end", async (t) => {
  const full = fakeSocket(4 * 1024 * 1024);
  using outbox = new UdpOutbox(full.socket);
  outbox.put(Buffer.from("x"), receiver(1));
  await turn();
  t.deepEqual(full.sent, []);
  const ended = fakeSocket();
  const other = new UdpOutbox(ended.socket);
  other.put(Buffer.from("x"), receiver(1));
  other[Symbol.dispose]();
  await turn();
  t.deepEqual(ended.sent, []);
});
