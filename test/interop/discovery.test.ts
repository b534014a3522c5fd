/**
 * Standard clients and ours find each other without our supernode's help: by web seed, on the local network, in the DHT.
 */
import { hash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { Dht } from "../../peer/discovery/dht.ts";
import { formatHostPort } from "../../system/addresses.ts";
import { silentLogger } from "../../system/logger.ts";
import { type AddedTorrent, addedTorrent } from "../support/added-torrent.ts";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { temporaryFolder } from "../support/folders.ts";
import { hasIPv6 } from "../support/ipv6.ts";
import { lastJson, runCommand, startCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";
import { aria2, hasAria2, hasLibtorrent, PYTHON, runTool, type Tool } from "../support/tools.ts";

const MIB = 1024 * 1024;
const LENGTH = 6 * MIB + 11;
const FINDER = fileURLToPath(new URL("../support/libtorrent-finder.py", import.meta.url));
const NOWHERE = "http://127.0.0.1:1";
const aria2Test = hasAria2() ? test : test.skip;
const libtorrentTest = hasLibtorrent() ? test : test.skip;

function finder(options: object): Tool {
  return runTool(PYTHON, [FINDER, JSON.stringify({ listen: "127.0.0.1:0", ...options })]);
}

/** The final torrents of a public task whose supernode, seeder and daemons are gone; the origin is still there. */
async function abandoned() {
  await using stack = new AsyncDisposableStack();
  const origin = stack.use(await ScriptedOrigin.start());
  const { url, sha256 } = origin.add("/shared.bin", seededBytes(5, LENGTH));
  const cluster = stack.use(await Cluster.start({ daemons: 1 }));
  const outcome = await cluster.dfget("h0", url);
  const api = `${cluster.url}/api/v1/tasks/${outcome.infoHash}`;
  await until(async () => (await fetch(`${api}/torrent`)).ok);
  const paths = new Map<number, string>();
  for (const version of [1, 2]) {
    const path = join(cluster.folder, `v${version}.torrent`);
    await writeFile(path, Buffer.from(await (await fetch(`${api}/torrent?version=${version}`)).arrayBuffer()));
    paths.set(version, path);
  }
  const magnet = (await (await fetch(`${api}/magnet`)).text()).trim();
  await cluster.stopDaemon("h0");
  await cluster.supernode.stop();
  const torrent = (version: number): string => paths.get(version) as string;
  const open = stack.move();
  return { origin, url, sha256, magnet, torrent, folder: cluster.folder, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

aria2Test("aria2 completes our final torrent from the origin that it names, with every peer away", async (t) => {
  await using left = await abandoned();
  t.true(left.magnet.includes(`&ws=${encodeURIComponent(left.url)}`), left.magnet);
  const folder = join(left.folder, "aria2");
  await using leech = aria2(["--dir", folder, "--seed-time=0", left.torrent(1)]);
  t.is(await leech.exited, 0, leech.output());
  t.is(await sha256Of(join(folder, "shared.bin")), left.sha256);
});

for (const version of [1, 2]) {
  libtorrentTest(`libtorrent completes our final v${version} torrent from the origin that it names`, async (t) => {
    await using left = await abandoned();
    const folder = join(left.folder, "libtorrent");
    await using leech = finder({ torrent: left.torrent(version), save: folder });
    t.is(await leech.exited, 0, leech.output());
    t.is(await sha256Of(join(folder, "shared.bin")), left.sha256);
  });
}

/** A torrent without trackers, and a folder with its content. */
async function trackerless(seed: number) {
  const folder = await temporaryFolder();
  const torrent = await addedTorrent({ folder: folder.path, seed, lengthBytes: LENGTH });
  const save = join(folder.path, "seed");
  await mkdir(save);
  await writeFile(join(save, "content.bin"), torrent.content);
  return { folder: folder.path, torrent, save, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

/** A daemon of ours; `add` downloads through it. */
async function ours(folder: string, name: string, args: readonly string[]) {
  const place = ["--home", join(folder, name), "--supernode", NOWHERE];
  const daemon = await startCommand({ command: "dfdaemon", args: [...place, "--peer-listen", "127.0.0.1:0", ...args] });
  const output = join(folder, `${name}.out`);
  return {
    peer: daemon.ready.peer,
    output,
    add: async (what: string) => lastJson(await runCommand({ command: "dfget", args: ["add", what, "-o", output, ...place, "--json"] })),
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

async function isRight(t: ExecutionContext, torrent: AddedTorrent, path: string): Promise<void> {
  t.is(hash("sha256", await readFile(path), "hex"), torrent.sha256);
}

libtorrentTest("ours finds a libtorrent seed on the local network, and libtorrent finds ours", async (t) => {
  await using at = await trackerless(21);
  await using host = await ours(at.folder, "ours", ["--lsd", "added"]);
  {
    await using seed = finder({ torrent: at.torrent.path, save: at.save, seed: true, lsd: true });
    await seed.firstLine();
    const outcome = await host.add(at.torrent.path);
    t.like(outcome, { status: "ok", from: { origin: 0, peers: LENGTH } }, JSON.stringify(outcome));
    await isRight(t, at.torrent, host.output);
  }
  const folder = join(at.folder, "leech");
  await using leech = finder({ torrent: at.torrent.path, save: folder, lsd: true });
  t.is(await leech.exited, 0, leech.output());
  await isRight(t, at.torrent, join(folder, "content.bin"));
});

for (const [family, own, isThere] of [
  [4, "127.0.0.1", true],
  [6, "::1", hasIPv6()],
] as const)
  (isThere ? libtorrentTest : test.skip)(
    `ours finds a libtorrent seed in the DHT by a magnet link, and libtorrent finds ours: IPv${family}`,
    async (t) => {
      await using at = await trackerless(22);
      const magnet = `magnet:?xt=urn:btih:${at.torrent.infoHash}`;
      await using middle = await Dht.open({
        family,
        peer: { host: own, port: 0 },
        bootstrap: [],
        file: join(at.folder, "nodes"),
        clock: { nowMs: () => performance.now() },
        random: Math.random,
        logger: silentLogger,
      });
      const dht = formatHostPort({ host: own, port: middle.port });
      const listen = formatHostPort({ host: own, port: 0 });
      await using host = await ours(at.folder, "host", ["--dht", "added", "--dht-bootstrap", dht, "--peer-listen", listen]);
      {
        await using seed = finder({ torrent: at.torrent.path, save: at.save, seed: true, dht, listen });
        await seed.firstLine();
        const outcome = await host.add(magnet);
        t.like(outcome, { status: "ok", from: { origin: 0, peers: LENGTH } }, JSON.stringify(outcome));
        await isRight(t, at.torrent, host.output);
      }
      const folder = join(at.folder, "leech");
      await using leech = finder({ torrent: at.torrent.path, save: folder, dht, listen });
      t.is(await leech.exited, 0, leech.output());
      await isRight(t, at.torrent, join(folder, "content.bin"));
    },
  );
