/** The DHT: what its socket lets through, and nodes of ours among themselves. */
import dgram from "node:dgram";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { Dht } from "../../../peer/discovery/dht.ts";
import { readNodes, writeNodes } from "../../../peer/discovery/dht-nodes.ts";
import { checkDhtMessage, guardedSocket } from "../../../peer/discovery/guarded-socket.ts";
import { reaches } from "../../../peer/discovery/reach.ts";
import { silentLogger } from "../../../system/logger.ts";
import { encode } from "../../../torrents/bencode.ts";
import type { InfoHash } from "../../../torrents/ids.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { until } from "../../support/processes.ts";

const INFO_HASH = "ab".repeat(20) as InfoHash;

test("reaches() keeps private torrents to themselves, whatever is switched on", (t) => {
  const table = (["off", "added", "on"] as const).map((reach) => [
    reaches(reach, "private"),
    reaches(reach, "task"),
    reaches(reach, "added"),
  ]);
  t.deepEqual(table, [
    [false, false, false],
    [false, false, true],
    [false, true, true],
  ]);
});

test("checkDhtMessage() takes queries and answers, and nothing with lengths that the package would trip over", (t) => {
  const id = Buffer.alloc(20, 1);
  t.notThrows(() => checkDhtMessage(encode({ t: "aa", y: "q", q: "get_peers", a: { id, info_hash: id } })));
  t.notThrows(() => checkDhtMessage(encode({ t: "aa", y: "r", r: { id, nodes: Buffer.alloc(26) } })));
  const bad = [
    Buffer.from("hello"),
    encode({ y: "q", a: { id, info_hash: Buffer.alloc(5) } }),
    encode({ y: "q", a: { id: 5 } }),
    encode({ y: "q", a: "x" }),
    Buffer.from(`${"l".repeat(2000)}${"e".repeat(2000)}`),
    Buffer.alloc(5000, "0"),
  ];
  for (const bytes of bad) t.throws(() => checkDhtMessage(bytes), undefined, bytes.toString("latin1", 0, 40));
});

test("guardedSocket() survives a handler that throws, and reads a thousand datagrams a second", async (t) => {
  const dropped: unknown[] = [];
  let handled = 0;
  const socket = guardedSocket({ nowMs: () => 5_000, onDropped: (why) => dropped.push(why) });
  const done = Promise.withResolvers<void>();
  socket.on("message", () => {
    handled++;
    done.resolve();
    throw new Error("confused");
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const sender = dgram.createSocket("udp4");
  const send = (bytes: Buffer): void => sender.send(bytes, socket.address().port, "127.0.0.1");
  send(Buffer.from("nonsense"));
  send(encode({ t: "aa", y: "q" }));
  await done.promise;
  await new Promise(setImmediate);
  t.is(handled, 1);
  t.is(dropped.length, 2);
  sender.close();
  socket.close();
});

test("readNodes() reads back what writeNodes() kept, and makes nothing of damage", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "nodes.json");
  t.deepEqual(await readNodes(path), []);
  await writeNodes(path, [
    { host: "10.0.0.1", port: 5 },
    { host: "name", port: 5 },
    { host: "10.0.0.2", port: 0 },
  ]);
  t.deepEqual(await readNodes(path), [{ host: "10.0.0.1", port: 5 }]);
  await writeFile(path, '{"a":');
  t.deepEqual(await readNodes(path), []);
});

function openDht(file: string, bootstrap: readonly Dht[]): Promise<Dht> {
  return Dht.open({
    peer: { host: "127.0.0.1", port: 0 },
    bootstrap: bootstrap.map(({ port }) => ({ host: "127.0.0.1", port })),
    file,
    clock: { nowMs: () => performance.now() },
    random: Math.random,
    logger: silentLogger,
  });
}

test("Dht finds who announced, through a node that both know, and keeps its nodes", async (t) => {
  await using folder = await temporaryFolder();
  const open = (name: string, bootstrap: readonly Dht[]): Promise<Dht> => openDht(join(folder.path, name), bootstrap);
  await using middle = await open("middle", []);
  const found = Promise.withResolvers<object>();
  {
    await using seed = await open("seed", [middle]);
    using _ = seed.join(INFO_HASH, () => undefined);
    await using leech = await open("leech", [middle]);
    using __ = leech.join(INFO_HASH, found.resolve);
    const peer = (await found.promise) as { host: string; port: number };
    t.is(peer.host, "127.0.0.1");
  }
  t.true((await readNodes(join(folder.path, "leech"))).some(({ port }) => port === middle.port));
});

test("Dht.search() finds who announced, and is not found itself", async (t) => {
  await using folder = await temporaryFolder();
  const open = (name: string, bootstrap: readonly Dht[]): Promise<Dht> => openDht(join(folder.path, name), bootstrap);
  await using middle = await open("middle", []);
  // an announcement at this node is told to it as a peer
  let announced = 0;
  using _ = middle.join(INFO_HASH, () => announced++);
  await using seed = await open("seed", [middle]);
  using __ = seed.join(INFO_HASH, () => undefined);
  await until(() => announced > 0);
  const before = announced;
  const found = Promise.withResolvers<object>();
  await using leech = await open("leech", [middle]);
  using ___ = leech.search(INFO_HASH, found.resolve);
  t.like(await found.promise, { host: "127.0.0.1" });
  t.is(announced, before);
});
