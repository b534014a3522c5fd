/**
 * Browsers against ours: Chromium downloads through the task page over WebRTC, from a seeder started with --webrtc; browsers exchange pieces among
 * themselves; webtorrent in Node, over WebRTC alone, is a peer too. Left out where there is no Chromium, or no native module of webtorrent's.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import test, { type ExecutionContext } from "ava";
import type { Page } from "playwright-core";
import { requestJson } from "../../system/json-http.ts";
import type { TaskAnswer } from "../../torrents/task-api.ts";
import { CHROMIUM, TestBrowser } from "../support/browser.ts";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;
const LENGTH = 20 * MIB;
const VIEW = { width: 1280, height: 900, scheme: "light" } as const;
const WAIT = { timeout: 90_000 };
/** Chromium names its addresses by mDNS, which a machine without multicast cannot look up. */
const PLAIN_ADDRESSES = "--disable-features=WebRtcHideLocalIpsWithMdns";
const WebTorrent = await import("webtorrent").then(
  (loaded) => loaded.default,
  () => undefined,
);
const nodeTest = WebTorrent === undefined ? test.skip : test;
const chromiumTest = CHROMIUM === undefined ? test.skip : nodeTest;

interface Setting extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly id: string;
  readonly sha256: string;
}

/** A supernode whose seeder serves browsers, and a final task. */
async function setUp(seed: number, args: readonly string[] = []): Promise<Setting> {
  const stack = new AsyncDisposableStack();
  const origin = stack.use(await ScriptedOrigin.start());
  const { url, sha256 } = origin.add("/shared.bin", seededBytes(seed, LENGTH));
  const supernodeArgs = ["--announce-interval", "10s", "--webrtc", "--seeder-metrics", "127.0.0.1:0", ...args];
  const cluster = stack.use(await Cluster.start({ supernodeArgs }));
  const { body } = await requestJson({ url: `${cluster.url}/api/v1/tasks`, method: "POST", body: { url, headers: {} } });
  const { id } = body as TaskAnswer;
  await until(async () => (await fetch(`${cluster.url}/api/v1/tasks/${id}/torrent`)).ok, 30_000);
  return { cluster, id, sha256, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Opens the task's page and downloads there. */
async function downloadHere(browser: TestBrowser, { cluster, id }: Setting): Promise<Page> {
  const page = await browser.open(VIEW);
  await page.goto(`${cluster.url}/tasks/${id}`);
  await page.locator("#download-here-start").click(WAIT);
  await page.getByText("Complete, and every piece is verified.").waitFor(WAIT);
  return page;
}

async function savedSha256(page: Page): Promise<string> {
  const [download] = await Promise.all([page.waitForEvent("download", WAIT), page.locator("#download-here-save").click(WAIT)]);
  return sha256Of(await download.path());
}

/** What axe finds in the page's part. */
async function findBarriers(page: Page): Promise<string[]> {
  const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  await page.evaluate(`${source}; undefined`);
  const found = (await page.evaluate('axe.run("#download-here")')) as { violations: { id: string }[] };
  return found.violations.map(({ id }) => id);
}

/** Bytes that the seeder sent to peers. */
async function seederSent({ cluster }: Setting): Promise<number> {
  const text = await (await fetch(cluster.supernode.ready.seederMetrics)).text();
  return Number(/^skimmer_uploaded_bytes_total\S* (\d+)/m.exec(text)?.[1]);
}

chromiumTest("Chromium downloads through the task page from our seeder, over WebRTC", async (t) => {
  t.timeout(180_000);
  await using setting = await setUp(71);
  await using browser = await TestBrowser.start([PLAIN_ADDRESSES]);
  const page = await downloadHere(browser, setting);
  t.is(await savedSha256(page), setting.sha256);
  t.deepEqual(await findBarriers(page), []);
  // read from the engine's store, and counted there: each block once, and the end game's again
  const sent = await seederSent(setting);
  t.true(sent >= LENGTH && sent < 1.2 * LENGTH, String(sent));
  t.deepEqual(browser.complaints, []);
});

chromiumTest("a second browser gets what the seeder's upload limit keeps from it from the first one", async (t) => {
  t.timeout(240_000);
  await using setting = await setUp(72);
  await using browser = await TestBrowser.start([PLAIN_ADDRESSES]);
  const first = await downloadHere(browser, setting);
  const before = await seederSent(setting);
  const limits = { url: `${setting.cluster.url}/api/v1/limits`, method: "PUT", body: { uploadBytesPerSecond: 50_000 } } as const;
  t.is((await requestJson(limits)).status, 200);
  const second = await downloadHere(browser, setting);
  t.is(await savedSha256(second), setting.sha256);
  const figures = await first.locator("#download-here-figures").textContent();
  // 50 kB/s for at most 90 s are 4.5 MB
  t.true((await seederSent(setting)) - before < LENGTH / 3, figures ?? "");
});

nodeTest("webtorrent in Node is a peer over WebRTC alone", async (t) => {
  t.timeout(120_000);
  await using setting = await setUp(73);
  const { cluster, id, sha256 } = setting;
  t.is(await downloadWithNode(t, cluster, id), sha256);
});

async function downloadWithNode(t: ExecutionContext, cluster: Cluster, id: string): Promise<string> {
  if (WebTorrent === undefined) throw new Error("webtorrent is not there");
  const torrent = new Uint8Array(await (await fetch(`${cluster.url}/api/v1/tasks/${id}/torrent`)).arrayBuffer());
  const off = { dht: false, lsd: false, utp: false, utPex: false, natUpnp: false, natPmp: false, webSeeds: false };
  const client = new WebTorrent({ ...off, torrentPort: { host: "127.0.0.1", port: 0 }, tracker: { rtcConfig: { iceServers: [] } } });
  const announce = [`${cluster.url.replace("http", "ws")}/announce`];
  const leech = client.add(torrent, { announce, path: cluster.home("webtorrent") });
  leech.on("infoHash", () => {
    leech.announce = announce;
  });
  const types: string[] = [];
  leech.on("wire", ({ type }: { type: string }) => types.push(type));
  try {
    await once(leech, "done", { signal: AbortSignal.timeout(90_000) });
    t.deepEqual([...new Set(types)], ["webrtc"]);
    const bytes = await readFile(`${cluster.home("webtorrent")}/shared.bin`);
    return createHash("sha256").update(bytes).digest("hex");
  } finally {
    await new Promise<void>((resolve) => client.destroy(() => resolve()));
  }
}
