/**
 * The stats page in Chromium while hosts download: every page at desktop and phone width, dark and light, for people who see, hear or type; what it
 * lets people do; and that it comes back by itself. Left out where there is no Chromium.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import anyTest, { type TestFn } from "ava";
import type { Page } from "playwright-core";
import { requestJson } from "../../system/json-http.ts";
import { formatBytes } from "../../tracker/pages/browser/format.ts";
import { CHROMIUM, TestBrowser } from "../support/browser.ts";
import { Cluster } from "../support/cluster.ts";
import { beginCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const test = (CHROMIUM === undefined ? anyTest.skip : anyTest) as TestFn;
const MIB = 1024 * 1024;
const WAIT = { timeout: 30_000 };
const VIEWS = [
  { width: 1280, height: 900, scheme: "light" },
  { width: 1280, height: 900, scheme: "dark" },
  { width: 360, height: 780, scheme: "light" },
  { width: 360, height: 780, scheme: "dark" },
] as const;
const DESKTOP = VIEWS[0];

/** What axe finds against WCAG 2 (A, AA) and its own good practice. */
async function findBarriers(page: Page): Promise<string[]> {
  const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  await page.evaluate(`${source}; undefined`);
  const found = (await page.evaluate("axe.run()")) as { violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] };
  return found.violations.map(
    ({ id, nodes }) => `${page.url()} ${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(" | ")}`,
  );
}

async function openLive(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.waitForSelector('#link[data-state="live"]', WAIT);
}

/** Waits until the text of an element is as wanted. */
async function seesText(page: Page, selector: string, wanted: string | RegExp): Promise<void> {
  await page.locator(selector, { hasText: wanted }).first().waitFor(WAIT);
}

async function taskOf(cluster: Cluster): Promise<string> {
  const { body } = await requestJson({ url: `${cluster.url}/api/v1/stats` });
  return (body as { rows: { key: string }[] }).rows[0].key;
}

test("every page, during a download: live, no wider than the screen, no barriers, nothing refused or complained of", async (t) => {
  t.timeout(240_000);
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 1 * MIB });
  const { url } = origin.add("/a-rather-long-folder-name/model-00001-of-00042.safetensors", seededBytes(41, 200 * MIB));
  await using cluster = await Cluster.start({ daemons: 2, daemonArgs: ["--idc", "fra1", "--location", "eu|de|fra1|rack7"] });
  const args = [url, "-o", join(cluster.folder, "f"), "--home", cluster.home("h0"), "--supernode", cluster.url];
  const dfget = beginCommand({ command: "dfget", args, timeoutMs: 240_000 });
  await using browser = await TestBrowser.start();
  const first = await browser.open(DESKTOP);
  await openLive(first, cluster.url);
  await seesText(first, "#rows .name", "model-00001-of-00042.safetensors");
  const paths = ["/", `/tasks/${await taskOf(cluster)}`, "/hosts", "/seeders", "/bans"];
  for (const view of VIEWS) {
    const page = await browser.open(view);
    for (const path of paths) {
      await openLive(page, cluster.url + path);
      const where = `${path} at ${view.width}, ${view.scheme}`;
      t.true((await page.locator("#rows tr, #rows-empty:not([hidden])").count()) > 0, where);
      const tooWide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
      t.is(tooWide, 0, where);
      t.deepEqual(await findBarriers(page), [], where);
    }
    await page.context().close();
  }
  t.deepEqual(browser.complaints, []);
  dfget.signal("SIGINT");
  await dfget.result;
});

test("the page moves by itself; search and order by keyboard; its figures are the daemon's", async (t) => {
  t.timeout(120_000);
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 4 * MIB });
  const { url } = origin.add("/moving.bin", seededBytes(42, 48 * MIB));
  const small = origin.add("/still.bin", seededBytes(43, 1 * MIB));
  await using cluster = await Cluster.start({ daemons: 1 });
  await cluster.dfget("h0", small.url);
  const running = cluster.dfget("h0", url);
  await using browser = await TestBrowser.start();
  const page = await browser.open(DESKTOP);
  await openLive(page, cluster.url);
  const progress = page.locator("tr", { hasText: "moving.bin" }).locator(".share");
  await progress.waitFor(WAIT);
  const before = await progress.textContent();
  await until(async () => (await progress.textContent()) !== before, 30_000);
  // order, by keyboard
  await page.locator('th button[data-sort="name"]').focus();
  await page.keyboard.press("Enter");
  await seesText(page, "#rows tr:nth-child(1) .name", "moving.bin");
  t.is(await page.locator('th[data-column="name"]').getAttribute("aria-sort"), "ascending");
  await page.keyboard.press("Enter");
  await seesText(page, "#rows tr:nth-child(1) .name", "still.bin");
  t.is(await page.locator('th[data-column="name"]').getAttribute("aria-sort"), "descending");
  // search; the address can be gone back to
  await page.fill("#search-text", "moving");
  await until(async () => (await page.locator("#rows tr").count()) === 1, 30_000);
  t.is(new URL(page.url()).searchParams.get("search"), "moving");
  await page.locator("#rows .name").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/tasks\//, WAIT);
  t.is(await page.locator("h1").textContent(), "moving.bin");
  t.is((await running).status, "ok");
  await seesText(page, "#state", "final");
  const { body } = await requestJson({ url: "http://d/v1/tasks", socketPath: join(cluster.home("h0"), "dfdaemon.sock") });
  const own = (body as { tasks: { name: string; from: { seeder: number } }[] }).tasks.find(({ name }) => name === "moving.bin");
  t.is(own?.from.seeder, 48 * MIB);
  await seesText(page, "#share-note", `${formatBytes(48 * MIB)} from seeders`);
  await seesText(page, "#progress-note", "192 of 192 pieces");
  t.deepEqual(browser.complaints, []);
});

test("torrent files and magnet links are offered, a URL is preheated, and a task is deleted once that was confirmed", async (t) => {
  t.timeout(120_000);
  await using origin = await ScriptedOrigin.start();
  const { url } = origin.add("/asked.bin", seededBytes(44, 3 * MIB));
  await using cluster = await Cluster.start();
  await using browser = await TestBrowser.start();
  const page = await browser.open(DESKTOP);
  await openLive(page, cluster.url);
  await seesText(page, "#rows-empty", "No tasks yet");
  await page.click("#preheat-open");
  t.deepEqual(await findBarriers(page), []);
  await page.fill("#preheat-url", `${url}-away`);
  await page.keyboard.press("Escape");
  t.is(await page.locator("dialog[open]").count(), 0);
  await page.click("#preheat-open");
  await page.fill("#preheat-url", url);
  await page.keyboard.press("Enter");
  await seesText(page, "#rows .name", "asked.bin");
  await seesText(page, "#rows .chip", "final");
  await page.click("#rows .name");
  await page.locator("#magnet:not([hidden])").waitFor(WAIT);
  t.regex((await page.locator("#magnet").getAttribute("href")) ?? "", /^magnet:\?xt=urn:btih:[0-9a-f]{40}/);
  const torrent = await fetch(new URL((await page.locator("#torrent").getAttribute("href")) ?? "", cluster.url));
  t.is(torrent.headers.get("content-type"), "application/x-bittorrent");
  // to keep it is the first choice, and where the keyboard is
  await page.click("#delete-open");
  t.deepEqual(await findBarriers(page), []);
  await page.keyboard.press("Enter");
  t.is((await fetch(`${cluster.url}/api/v1/tasks/${await taskOf(cluster)}`)).status, 200);
  await page.click("#delete-open");
  await page.click("dialog#delete button[value=ok]");
  await page.waitForURL(`${cluster.url}/`, WAIT);
  await seesText(page, "#rows-empty", "No tasks yet");
  t.deepEqual(browser.complaints, []);
});

test("a page says when the supernode is away, and goes on when it is back; one of a task that was deleted says so", async (t) => {
  t.timeout(120_000);
  await using origin = await ScriptedOrigin.start();
  const { url } = origin.add("/gone.bin", seededBytes(45, 1 * MIB));
  await using cluster = await Cluster.start({ daemons: 1 });
  await cluster.dfget("h0", url);
  await using browser = await TestBrowser.start();
  const page = await browser.open(DESKTOP);
  const id = await taskOf(cluster);
  await openLive(page, `${cluster.url}/tasks/${id}`);
  await cluster.supernode.stop();
  await page.waitForSelector('#link[data-state="lost"]', WAIT);
  await cluster.restartSupernode();
  await page.waitForSelector('#link[data-state="live"]', WAIT);
  await fetch(`${cluster.url}/api/v1/tasks/${id}`, { method: "DELETE" });
  await seesText(page, "#notice", "This task is no more");
  t.is(await page.locator(".actions .button:visible").count(), 0);
});
