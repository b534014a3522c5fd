/**
 * How the peers of somebody else's torrent are found, with real daemons: UDP trackers and tiers, web seeds, local network, DHT; and
 * that private ones are told of nowhere.
 */
import { hash } from "node:crypto";
import dgram from "node:dgram";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { LSD_GROUP_V4, LSD_PORT } from "../../peer/discovery/lsd-words.ts";
import { type AddedTorrent, addedFolder, addedTorrent } from "../support/added-torrent.ts";
import { temporaryFolder } from "../support/folders.ts";
import { hasIPv6 } from "../support/ipv6.ts";
import { lastJson, type RunningCommand, runCommand, startCommand, until } from "../support/processes.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;
const LENGTH = 3 * MIB + 5;
/** Nobody listens there. */
const NOWHERE = "http://127.0.0.1:1";

interface Host extends AsyncDisposable {
  readonly daemon: RunningCommand;
  /** `dfget add`; answers what it said at its end. */
  add(torrent: string, ...args: string[]): Promise<ReturnType<typeof lastJson>>;
  output(name: string): string;
  info(infoHash: string): Promise<ReturnType<typeof lastJson>>;
}

async function host(...daemonArgs: string[]): Promise<Host> {
  const folder = await temporaryFolder();
  const home = join(folder.path, "home");
  const common = ["--home", home, "--supernode", NOWHERE];
  const daemon = await startCommand({ command: "dfdaemon", args: [...common, "--peer-listen", "127.0.0.1:0", ...daemonArgs] });
  const output = (name: string): string => join(folder.path, name);
  const run = (args: string[]) => runCommand({ command: "dfget", args: [...args, ...common, "--json"], folder: folder.path });
  return {
    daemon,
    output,
    add: async (torrent, ...args) => lastJson(await run(["add", torrent, "-o", output("out"), ...args])),
    info: async (infoHash) => lastJson(await run(["info", infoHash])),
    [Symbol.asyncDispose]: async () => {
      await daemon.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function isRight(t: ExecutionContext, torrent: AddedTorrent, at: Host): Promise<void> {
  t.is(hash("sha256", await readFile(at.output("out")), "hex"), torrent.sha256);
}

/** A web server, and a place for .torrent files. */
async function place() {
  const folder = await temporaryFolder();
  const origin = await ScriptedOrigin.start();
  const write = (options: Partial<Parameters<typeof addedTorrent>[0]>): Promise<AddedTorrent> =>
    addedTorrent({ folder: folder.path, seed: 1, lengthBytes: LENGTH, ...options });
  return {
    folder: folder.path,
    origin,
    write,
    [Symbol.asyncDispose]: async () => {
      await origin[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** A host that has the whole torrent, from a web seed that is gone afterwards. */
async function seededHost(
  t: ExecutionContext,
  at: Awaited<ReturnType<typeof place>>,
  torrent: Parameters<typeof at.write>[0],
  args: string[],
) {
  const url = `${at.origin.url}/content.bin`;
  const { path, content } = await at.write({ ...torrent, file: "with-web-seed", webSeeds: [url] });
  at.origin.add("/content.bin", content);
  const seed = await host(...args);
  const outcome = await seed.add(path);
  t.like(outcome, { status: "ok", from: { origin: LENGTH, peers: 0 }, reason: "the torrent names web seeds" });
  at.origin.files.clear();
  return seed;
}

test("a torrent without any peer comes from its web seeds; one that sends wrong bytes is left alone", async (t) => {
  await using at = await place();
  const urls = ["/wrong", "/gone", "/folder/"].map((path) => at.origin.url + path);
  const torrent = await at.write({ webSeeds: [...urls, "file:///etc/passwd", "s3://bucket/key"] });
  const wrong = Buffer.from(torrent.content);
  wrong[LENGTH >> 1] ^= 1;
  at.origin.add("/wrong", wrong);
  at.origin.add("/folder/content.bin", torrent.content, { answerBytesPerSecond: 4 * MIB });
  await using leech = await host();
  const outcome = await leech.add(torrent.path);
  t.like(outcome, { status: "ok", from: { origin: LENGTH, seeder: 0, peers: 0, cache: 0 } }, JSON.stringify(outcome));
  await isRight(t, torrent, leech);
});

test("a torrent of several files comes from a web seed, piece by piece across the files", async (t) => {
  await using at = await place();
  const lengths = [
    { path: ["a b", "first.bin"], lengthBytes: 300_001 },
    { path: ["empty"], lengthBytes: 0 },
    { path: ["a b", "second#.bin"], lengthBytes: 1_500_007 },
    { path: ["third.bin"], lengthBytes: 10 },
  ];
  const options = { folder: at.folder, seed: 2, lengthBytes: 0, files: lengths, webSeeds: [`${at.origin.url}/pub`] };
  const torrent = await addedFolder(options);
  for (const { path, content } of torrent.files) at.origin.add(["/pub/folder", ...path.map(encodeURIComponent)].join("/"), content);
  await using leech = await host();
  const outcome = await leech.add(torrent.path);
  t.like(outcome, { status: "ok", from: { origin: torrent.content.length } }, JSON.stringify(outcome));
  for (const { path, content } of torrent.files)
    t.true((await readFile(join(leech.output("out"), "folder", ...path))).equals(content), path.join("/"));
});

test("peers are found through a UDP tracker where the first tier is away, and a magnet link gets its metadata from them", async (t) => {
  await using at = await place();
  await using supernode = await startCommand({
    command: "supernode",
    args: ["--listen", "127.0.0.1:0", "--data", at.folder, "--no-seeder", "--open-tracker", "--announce-interval", "5s"],
  });
  const { udp } = supernode.ready;
  const tiers = [[`${NOWHERE}/announce`], [`${udp}/announce`], ["wss://127.0.0.1:1"]];
  await using _seed = await seededHost(t, at, { tiers }, []);
  await using leech = await host();
  const bare = await at.write({ tiers, file: "bare" });
  const outcome = await leech.add(bare.path);
  t.like(outcome, { status: "ok", from: { origin: 0, peers: LENGTH } }, JSON.stringify(outcome));
  await isRight(t, bare, leech);
  const { trackerStates } = await leech.info(bare.infoHash);
  t.deepEqual(
    (trackerStates as { url: string; state: string }[]).map(({ url, state }) => [url, state]),
    [
      [tiers[0][0], "failing"],
      [tiers[1][0], "working"],
      [tiers[2][0], "unsupported"],
    ],
  );
  await using second = await host();
  const magnet = `magnet:?xt=urn:btih:${bare.infoHash}&tr=${encodeURIComponent(tiers[1][0])}`;
  t.like(await second.add(magnet), { status: "ok", from: { peers: LENGTH } });
  await isRight(t, bare, second);
});

test("trackers and web seeds of a later dfget add hold at once for a download that waits", async (t) => {
  await using at = await place();
  await using supernode = await startCommand({
    command: "supernode",
    args: ["--listen", "127.0.0.1:0", "--data", at.folder, "--no-seeder", "--open-tracker", "--announce-interval", "5s"],
  });
  const alive = `${supernode.ready.udp}/announce`;
  await using _seed = await seededHost(t, at, { tiers: [[alive]] }, []);
  const dead = await at.write({ tiers: [[`${NOWHERE}/announce`]], file: "dead" });
  const later = await at.write({ tiers: [[alive]], file: "later" });
  await using leech = await host();
  const waits = leech.add(dead.path);
  await until(async () => (await leech.info(dead.infoHash)).downloading === true);
  const second = leech.add(later.path, "-o", leech.output("second"));
  for (const outcome of await Promise.all([waits, second])) t.like(outcome, { status: "ok" }, JSON.stringify(outcome));
  await isRight(t, dead, leech);
  const { trackerTiers } = await leech.info(dead.infoHash);
  t.deepEqual(trackerTiers, [[`${NOWHERE}/announce`], [alive]]);
  // the same with a web seed
  const bare = await at.write({ tiers: [], file: "bare", name: "other.bin", seed: 9 });
  const url = `${at.origin.url}/other.bin`;
  at.origin.add("/other.bin", bare.content);
  const seeded = await at.write({ tiers: [], file: "seeded", name: "other.bin", seed: 9, webSeeds: [url] });
  const alone = leech.add(bare.path, "-o", leech.output("third"));
  await until(async () => (await leech.info(bare.infoHash)).downloading === true);
  t.like(await leech.add(seeded.path, "-o", leech.output("fourth")), { status: "ok" });
  t.like(await alone, { status: "ok" });
});

test("peers are found on the local network, by torrent and by magnet link, without any tracker", async (t) => {
  await using at = await place();
  await using _seed = await seededHost(t, at, {}, ["--lsd", "added"]);
  const bare = await at.write({ file: "bare" });
  for (const wanted of [bare.path, `magnet:?xt=urn:btih:${bare.infoHash}`]) {
    await using leech = await host("--lsd", "added");
    const outcome = await leech.add(wanted);
    t.like(outcome, { status: "ok", from: { origin: 0, peers: LENGTH } }, JSON.stringify(outcome));
    await isRight(t, bare, leech);
  }
});

// IPv6 is left out on hosts that have none
for (const [family, own, isThere] of [
  [4, "127.0.0.1", true],
  [6, "[::1]", hasIPv6()],
] as const)
  (isThere ? test : test.skip)(
    `peers are found through the DHT, by torrent and by magnet link, without any tracker: IPv${family}`,
    async (t) => {
      await using at = await place();
      const listen = ["--peer-listen", `${own}:0`];
      await using seed = await seededHost(t, at, {}, ["--dht", "added", "--dht-bootstrap", `${own}:1`, ...listen]);
      const bare = await at.write({ file: "bare" });
      const bootstrap = ["--dht", "added", "--dht-bootstrap", seed.daemon.ready.peer, ...listen];
      for (const wanted of [bare.path, `magnet:?xt=urn:btih:${bare.infoHash}`]) {
        await using leech = await host(...bootstrap);
        const outcome = await leech.add(wanted);
        t.like(outcome, { status: "ok", from: { origin: 0, peers: LENGTH } }, JSON.stringify(outcome));
        await isRight(t, bare, leech);
      }
    },
  );

test("a private torrent is told of neither on the local network nor in the DHT", async (t) => {
  await using at = await place();
  const listener = dgram.createSocket({ type: "udp4", reuseAddr: true });
  listener.bind(LSD_PORT);
  await once(listener, "listening");
  listener.addMembership(LSD_GROUP_V4, "127.0.0.1");
  const heard: string[] = [];
  listener.on("message", (datagram) => heard.push(datagram.toString()));
  const loud = ["--lsd", "on", "--dht", "on", "--dht-bootstrap", "127.0.0.1:1"];
  await using _private = await seededHost(t, at, { private: true, seed: 7 }, loud);
  const secret = await at.write({ private: true, seed: 7, file: "bare" });
  // a public one from the same settings shows that the listener works, and that enough time has passed
  await using _public = await seededHost(t, at, { seed: 8 }, loud);
  const open = await at.write({ seed: 8, file: "bare" });
  const signal = AbortSignal.timeout(20_000);
  while (!heard.some((text) => text.includes(open.infoHash))) await once(listener, "message", { signal });
  t.false(heard.some((text) => text.includes(secret.infoHash)));
  listener.close();
});
