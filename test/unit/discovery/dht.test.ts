/** The DHT: what its socket lets through, and nodes of ours among themselves. */
import dgram from "node:dgram";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { Dht } from "../../../peer/discovery/dht.ts";
import { readNodes, writeNodes } from "../../../peer/discovery/dht-nodes.ts";
import { DhtPair, familiesAt } from "../../../peer/discovery/dht-pair.ts";
import { asIfV4, asV6 } from "../../../peer/discovery/dht6-words.ts";
import { checkDhtMessage, guardedSocket } from "../../../peer/discovery/guarded-socket.ts";
import { reaches } from "../../../peer/discovery/reach.ts";
import { StandIns } from "../../../peer/discovery/stand-ins.ts";
import { silentLogger } from "../../../system/logger.ts";
import { decodeDict, dictDict, encode } from "../../../torrents/bencode.ts";
import type { InfoHash } from "../../../torrents/ids.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { hasIPv6 } from "../../support/ipv6.ts";
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
  const socket = guardedSocket({ family: 4, nowMs: () => 5_000, onDropped: (why) => dropped.push(why) });
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

const testOf = { 4: test, 6: hasIPv6() ? test : test.skip };
const HOSTS = { 4: "127.0.0.1", 6: "::1" } as const;

function openDht(file: string, family: 4 | 6, bootstrap: readonly Dht[]): Promise<Dht> {
  return Dht.open({
    family,
    peer: { host: HOSTS[family], port: 0 },
    bootstrap: bootstrap.map(({ port }) => ({ host: HOSTS[family], port })),
    file,
    clock: { nowMs: () => performance.now() },
    random: Math.random,
    logger: silentLogger,
  });
}

for (const family of [4, 6] as const) {
  testOf[family](`Dht finds who announced, through a node that both know, and keeps its nodes: IPv${family}`, async (t) => {
    await using folder = await temporaryFolder();
    const open = (name: string, bootstrap: readonly Dht[]): Promise<Dht> => openDht(join(folder.path, name), family, bootstrap);
    await using middle = await open("middle", []);
    const found = Promise.withResolvers<object>();
    {
      await using seed = await open("seed", [middle]);
      using _ = seed.join(INFO_HASH, () => undefined);
      await using leech = await open("leech", [middle]);
      using __ = leech.join(INFO_HASH, found.resolve);
      const peer = (await found.promise) as { host: string; port: number };
      t.is(peer.host, HOSTS[family]);
    }
    t.true((await readNodes(join(folder.path, "leech"))).some(({ host, port }) => host === HOSTS[family] && port === middle.port));
  });

  testOf[family](`Dht.search() finds who announced, and is not found itself: IPv${family}`, async (t) => {
    await using folder = await temporaryFolder();
    const open = (name: string, bootstrap: readonly Dht[]): Promise<Dht> => openDht(join(folder.path, name), family, bootstrap);
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
    t.like(await found.promise, { host: HOSTS[family] });
    t.is(announced, before);
  });
}

testOf[6]("Dht finds through nodes of nodes over IPv6, and takes in nodes that it is told of later", async (t) => {
  await using folder = await temporaryFolder();
  const open = (name: string, bootstrap: readonly Dht[]): Promise<Dht> => openDht(join(folder.path, name), 6, bootstrap);
  await using first = await open("first", []);
  await using second = await open("second", [first]);
  await using seed = await open("seed", [second]);
  let announced = 0;
  using _ = second.join(INFO_HASH, () => announced++);
  using __ = seed.join(INFO_HASH, () => undefined);
  await until(() => announced > 0);
  const found = Promise.withResolvers<object>();
  await using leech = await open("leech", []);
  leech.addNode({ host: "127.0.0.1", port: first.port });
  leech.addNode({ host: "::1", port: first.port });
  using ___ = leech.search(INFO_HASH, found.resolve);
  t.like(await found.promise, { host: "::1" });
});

testOf[6]("DhtPair is there for the addresses at which the peer port listens", async (t) => {
  t.deepEqual(["0.0.0.0", "127.0.0.1", "localhost", "::", "::1"].map(familiesAt), [[4], [4], [4], [4, 6], [6]]);
  await using folder = await temporaryFolder();
  const common = { clock: { nowMs: () => performance.now() }, random: Math.random, logger: silentLogger };
  await using four = await openDht(join(folder.path, "four"), 4, []);
  await using six = await openDht(join(folder.path, "six"), 6, []);
  const heard = new Set<string>();
  using _ = four.join(INFO_HASH, ({ host }) => heard.add(host));
  using __ = six.join(INFO_HASH, ({ host }) => heard.add(host));
  {
    const bootstrap = ([4, 6] as const).map((family) => ({ host: HOSTS[family], port: { 4: four, 6: six }[family].port }));
    const file = join(folder.path, "seed.json");
    await using seed = await DhtPair.open({ ...common, peer: { host: "::", port: 0 }, bootstrap, file });
    using ___ = seed.join(INFO_HASH, () => undefined);
    await until(() => heard.size === 2, 20_000);
  }
  t.deepEqual([...heard].sort(), ["127.0.0.1", "::1"]);
  t.is((await readNodes(join(folder.path, "seed.json"))).length, 1);
  t.like((await readNodes(join(folder.path, "seed6.json")))[0], { host: "::1", port: six.port });
});

const standIns = new StandIns(Buffer.alloc(32, 7));

test("StandIns: one for each address that can be dialled, the same each time, for no others; bounded", (t) => {
  const own = standIns.standInFor("2001:db8::1") ?? "";
  t.regex(own, /^2(4\d|5[0-5])\.\d+\.\d+\.\d+$/);
  t.is(standIns.standInFor("2001:DB8:0:0::1"), own);
  t.is(standIns.hostOf(own), "2001:db8::1");
  t.not(standIns.standInFor("2001:db8::2"), own);
  t.not(new StandIns(Buffer.alloc(32, 8)).standInFor("2001:db8::1"), own);
  for (const host of ["::", "ff02::1", "fe80::1", "fe80::1%eth0", "::ffff:10.0.0.1", "10.0.0.1", "name", ""])
    t.is(standIns.standInFor(host), undefined, host);
  t.is(standIns.hostOf("10.0.0.1"), undefined);
  const few = new StandIns(Buffer.alloc(32, 9));
  const first = few.standInFor("2001:db8::1") ?? "";
  for (let number = 2; number < 21_000; number++) few.standInFor(`2001:db8::${number.toString(16)}`);
  t.is(few.hostOf(first), undefined, "forgotten");
  t.is(few.standInFor("2001:db8::1"), first);
});

/** 2001:db8::1, port 1. */
const PEER6 = Buffer.from(`20010db8${"00".repeat(11)}010001`, "hex");
const ID = Buffer.alloc(20, 1);

test("asIfV4() and asV6() take nodes and peers there and back; what is of IPv4, or makes no sense, is left out", (t) => {
  const r = {
    id: ID,
    nodes: Buffer.alloc(26, 2),
    nodes6: Buffer.concat([ID, PEER6, Buffer.alloc(5)]),
    token: Buffer.from("t"),
    values: [PEER6, Buffer.alloc(6, 3), 5],
  };
  const heard = decodeDict(asIfV4(encode({ t: "aa", y: "r", r }), { standIns, asked: true }));
  const answer = dictDict(heard, "r") as Map<string, unknown>;
  t.is((answer.get("nodes") as Buffer).length, 26);
  t.is((answer.get("values") as Buffer[]).length, 1);
  t.false(answer.has("nodes6"));
  const said = dictDict(decodeDict(asV6(encode(heard), standIns)), "r") as Map<string, Buffer | Buffer[]>;
  t.true((said.get("nodes6") as Buffer).equals(Buffer.concat([ID, PEER6])));
  t.true((said.get("values") as Buffer[])[0].equals(PEER6));
  t.true((said.get("token") as Buffer).equals(Buffer.from("t")));
  t.false(said.has("nodes"));
  const query = decodeDict(asV6(encode({ t: "aa", y: "q", q: "get_peers", a: { id: ID, info_hash: ID } }), standIns));
  t.deepEqual(dictDict(query, "a")?.get("want"), [Buffer.from("n6")]);
  const ping = encode({ t: "aa", y: "q", q: "ping", a: { id: ID } });
  t.true(asV6(ping, standIns).equals(ping) && asIfV4(ping, { standIns, asked: false }).equals(ping));
  for (const bytes of [Buffer.alloc(0), Buffer.from("hello")]) t.throws(() => asIfV4(bytes, { standIns, asked: true }));
  t.throws(() => asIfV4(encode({ t: "aa", y: "r", r }), { standIns, asked: false }), { message: /no question/ });
});
