/**
 * The host daemon over WebRTC: with webtorrent in Node over WebRTC alone, both ways, by .torrent and by magnet link, at the tracker of webtorrent's
 * own makers and at our supernode's; and with Chromium. Left out where webtorrent's native module is not installed.
 */
import { hash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server as HttpServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import Server from "bittorrent-tracker/server";
import { WebSocketServer } from "ws";
import { requestJson } from "../../system/json-http.ts";
import type { TaskAnswer } from "../../torrents/task-api.ts";
import { type AddedTorrent, addedTorrent } from "../support/added-torrent.ts";
import { CHROMIUM, TestBrowser } from "../support/browser.ts";
import { Cluster } from "../support/cluster.ts";
import { type Place, place, sha256, startDaemon } from "../support/dfget-place.ts";
import { lastJson, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";
import { runTool, type Tool } from "../support/tools.ts";

const MIB = 1024 * 1024;
const native = await import("node-datachannel").then(
  () => true,
  () => false,
);
/** Chromium hides its addresses behind mDNS names, unless it is told not to. */
const BROWSER_WAYS = [
  { how: "that hides its addresses", args: [], bind: "0.0.0.0:0" },
  { how: "that tells its addresses", args: ["--disable-features=WebRtcHideLocalIpsWithMdns"], bind: "0.0.0.0:0" },
];
const rtcTest = native ? test : test.skip;
const chromiumTest = CHROMIUM === undefined ? test.skip : rtcTest;

interface Listener {
  readonly http: HttpServer;
  listen(port: number, host: string): void;
  close(done: () => void): void;
}

/** bittorrent-tracker's own server, WebSockets only. */
async function startTracker(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = new Server({ http: false, udp: false, ws: true, stats: false }) as Server & Listener;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.http.address() as AddressInfo;
  return { url: `ws://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

/** A tracker that passes no call on, and wants to be asked every ten minutes. */
async function startDeafTracker(onCalls: (offers: string[]) => void): Promise<AsyncDisposable & { readonly url: string }> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  server.on("connection", (socket) =>
    socket.on("message", (bytes) => {
      const { info_hash, offers = [] } = JSON.parse(String(bytes)) as { info_hash: string; offers?: { offer: { sdp: string } }[] };
      if (offers.length > 0) onCalls(offers.map(({ offer }) => offer.sdp));
      socket.send(JSON.stringify({ action: "announce", info_hash, interval: 600 }));
    }),
  );
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function webrtcClient(torrent: string, how: { folder: string; mode: "seed" | "leech"; tracker: string }): Tool {
  const script = fileURLToPath(new URL("../support/webrtc-client.ts", import.meta.url));
  return runTool(process.execPath, [script, torrent, how.folder, how.mode, how.tracker]);
}

/** Such a client that has everything of a torrent. */
async function startSeed(at: Place, seed: number, tracker: string): Promise<AsyncDisposable & { readonly torrent: AddedTorrent }> {
  const torrent = await madeUp(at, seed, tracker);
  await writeFile(at.path("content.bin"), torrent.content);
  const client = webrtcClient(torrent.path, { folder: at.folder, mode: "seed", tracker });
  await client.firstLine();
  return { torrent, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
}

/** A torrent that only the tracker knows. */
async function madeUp(at: Place, seed: number, tracker: string): Promise<AddedTorrent> {
  return addedTorrent({ folder: at.folder, file: `made-${seed}`, seed, lengthBytes: 12 * MIB + 77, tiers: [[tracker]] });
}

rtcTest("dfget add downloads from webtorrent over WebRTC alone, by .torrent", async (t) => {
  t.timeout(120_000);
  await using at = await place();
  await using tracker = await startTracker();
  await using seed = await startSeed(at, 91, tracker.url);
  const { torrent } = seed;
  await using _ = await startDaemon(at, "--webrtc");
  const added = await at.dfget("add", torrent.path, "-o", at.path("out.bin"));
  t.is(added.exitCode, 0, added.stdout + added.stderr);
  t.is(await sha256(at.path("out.bin")), torrent.sha256);
});

rtcTest(
  "dfget add downloads from webtorrent over WebRTC alone, by magnet link; info shows the tracker, and the daemon ends at once",
  async (t) => {
    t.timeout(120_000);
    await using at = await place();
    await using tracker = await startTracker();
    await using seed = await startSeed(at, 92, tracker.url);
    const { torrent } = seed;
    await using daemon = await startDaemon(at, "--webrtc");
    const magnet = `magnet:?xt=urn:btih:${torrent.infoHash}&tr=${encodeURIComponent(tracker.url)}`;
    const added = await at.dfget("add", magnet, "-o", at.path("out.bin"));
    t.is(added.exitCode, 0, added.stdout + added.stderr);
    t.is(await sha256(at.path("out.bin")), torrent.sha256);
    const info = await at.plain(["info", torrent.infoHash]);
    t.regex(info.stdout, /ws:.* working/, info.stdout + info.stderr);
    const beganMs = performance.now();
    t.is(await daemon.stop(), 0, daemon.stderr());
    t.true(performance.now() - beganMs < 5_000);
  },
);

rtcTest("webtorrent downloads over WebRTC alone what dfget seed shares at a WebSocket tracker", async (t) => {
  t.timeout(120_000);
  await using at = await place();
  await using tracker = await startTracker();
  const { path, content } = await madeUp(at, 93, tracker.url);
  await writeFile(at.path("content.bin"), content);
  await using daemon = await startDaemon(at, "--webrtc");
  const shared = await at.dfget("seed", at.path("content.bin"), "--tracker", tracker.url, "-o", path);
  t.is(shared.exitCode, 0, shared.stdout + shared.stderr);
  const target = at.path("leech");
  await mkdir(target);
  await using leech = webrtcClient(path, { folder: target, mode: "leech", tracker: tracker.url });
  await until(() => leech.output().includes('"done"'), 60_000);
  t.deepEqual(JSON.parse(leech.output().trim().split("\n").at(-1) ?? "").transports, ["webrtc"]);
  t.is(await sha256(join(target, "content.bin")), await sha256(at.path("content.bin")));
  t.is(await daemon.stop(), 0, daemon.stderr());
});

test("without --webrtc a torrent with WebSocket trackers only says so at once, and a magnet link fails with that", async (t) => {
  await using at = await place();
  const torrent = await madeUp(at, 94, "ws://127.0.0.1:1");
  const magnet = `magnet:?xt=urn:btih:${torrent.infoHash}&tr=ws%3A%2F%2F127.0.0.1%3A1`;
  const failed = await at.dfget("add", magnet, "-o", at.path("out.bin"));
  t.not(failed.exitCode, 0);
  t.regex(lastJson(failed).hint as string, /start the daemon with --webrtc/);
  const waiting = at.begin("add", torrent.path, "-o", at.path("out.bin"));
  await until(async () => (await at.dfget("ls")).stdout.includes(torrent.infoHash), 30_000);
  waiting.signal("SIGINT");
  const [warning] = (await waiting.result).stdout.split("\n");
  t.like(JSON.parse(warning), { event: "warning" });
  t.regex(warning, /start the daemon with --webrtc/);
});

rtcTest("a download calls again when its calls came to nothing, well before it gives up", async (t) => {
  t.timeout(90_000);
  await using at = await place();
  const calls: string[][] = [];
  await using tracker = await startDeafTracker((offers) => calls.push(offers));
  const torrent = await madeUp(at, 97, tracker.url);
  await using _ = await startDaemon(at, "--webrtc");
  const waiting = at.begin("add", torrent.path, "-o", at.path("out.bin"));
  await until(() => calls.length === 2, 60_000);
  waiting.signal("SIGINT");
  await waiting.result;
  t.deepEqual(
    calls.map((offers) => offers.length),
    [5, 5],
  );
  t.is(new Set(calls.flat()).size, 10);
});

rtcTest("a daemon is found at the supernode's WebSocket tracker for what it has, also after the supernode started anew", async (t) => {
  t.timeout(150_000);
  await using origin = await ScriptedOrigin.start();
  const { url, sha256: wanted } = origin.add("/shared.bin", seededBytes(96, 12 * MIB + 77));
  // its seeder does not serve browsers: the bytes can only come from the daemon
  await using cluster = await Cluster.start({ daemons: 1, daemonArgs: ["--webrtc"], supernodeArgs: ["--announce-interval", "10s"] });
  t.is((await cluster.dfget("h0", url)).exitCode, 0);
  const { body } = await requestJson({ url: `${cluster.url}/api/v1/tasks`, method: "POST", body: { url, headers: {} } });
  const made = `${cluster.url}/api/v1/tasks/${(body as TaskAnswer).id}/torrent`;
  await until(async () => (await fetch(made)).ok, 30_000);
  const path = cluster.home("made.torrent");
  await writeFile(path, Buffer.from(await (await fetch(made)).arrayBuffer()));
  for (const name of ["first", "second"]) {
    await mkdir(cluster.home(name));
    const tracker = `${cluster.url.replace("http", "ws")}/announce`;
    await using leech = webrtcClient(path, { folder: cluster.home(name), mode: "leech", tracker });
    await until(() => leech.output().includes('"done"'), 60_000);
    t.deepEqual(JSON.parse(leech.output().trim().split("\n").at(-1) ?? "").transports, ["webrtc"]);
    t.is(await sha256(join(cluster.home(name), "shared.bin")), wanted);
    if (name === "first") await cluster.restartSupernode();
  }
});

/** A page with webtorrent's bundle for browsers, and a file to share. */
async function startSite(content: Buffer): Promise<AsyncDisposable & { readonly url: string }> {
  const bundle = await readFile(createRequire(import.meta.url).resolve("webtorrent/dist/webtorrent.min.js"));
  const files: Readonly<Record<string, readonly [string, Buffer]>> = {
    "/": ["text/html", Buffer.from("<!doctype html><title>shares</title>")],
    "/webtorrent.min.js": ["text/javascript", bundle],
    "/content.bin": ["application/octet-stream", content],
  };
  const server = createServer((request, response) => {
    const [type, bytes] = files[request.url ?? ""] ?? ["text/plain", Buffer.alloc(0)];
    response.writeHead(200, { "content-type": type }).end(bytes);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Runs in the page: shares the site's file at the tracker; answers the .torrent, in base 64. */
const SHARE = `async (tracker) => {
  const { default: WebTorrent } = await import("/webtorrent.min.js");
  const client = new WebTorrent({ tracker: { rtcConfig: { iceServers: [] } } });
  const bytes = await (await fetch("/content.bin")).arrayBuffer();
  const torrent = await new Promise((resolve) =>
    client.seed(new File([bytes], "content.bin"), { announce: [tracker], name: "content.bin" }, resolve));
  return btoa(String.fromCharCode(...torrent.torrentFile));
}`;

for (const { how, args, bind } of BROWSER_WAYS) {
  chromiumTest(`dfget add downloads from a page in Chromium ${how}`, async (t) => {
    t.timeout(120_000);
    await using at = await place();
    await using tracker = await startTracker();
    const content = seededBytes(95, 12 * MIB + 77);
    await using site = await startSite(content);
    await using browser = await TestBrowser.start(args);
    const page = await browser.open({ width: 800, height: 600, scheme: "light" });
    await page.goto(site.url);
    const torrent = (await page.evaluate(`(${SHARE})(${JSON.stringify(tracker.url)})`)) as string;
    await writeFile(at.path("made.torrent"), Buffer.from(torrent, "base64"));
    await using daemon = await startDaemon(at, "--webrtc", "--peer-listen", bind);
    const added = await at.dfget("add", at.path("made.torrent"), "-o", at.path("out.bin"));
    t.is(added.exitCode, 0, added.stdout + added.stderr + daemon.stderr() + browser.complaints.join("\n"));
    t.is(await sha256(at.path("out.bin")), hash("sha256", content, "hex"));
  });
}
