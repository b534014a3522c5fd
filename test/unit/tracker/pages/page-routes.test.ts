/** The pages over HTTP, at a supernode in this process: headers, assets, tokens, reports of hosts, hostile input. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { requestJson } from "../../../../system/json-http.ts";
import { addToken } from "../../../../tracker/access/token-store.ts";
import { temporaryFolder } from "../../../support/folders.ts";
import { startSupernode } from "../support/start-supernode.ts";

const HOST = "2d534b303130302d000000000000000000000001";

function report(more: object = {}): object {
  return { peer: { id: HOST, port: 65002 }, name: "node7", version: "1", uptimeSeconds: 5, whole: true, tasks: [], ...more };
}

function post(url: string, body: unknown): Promise<Response> {
  return fetch(`${url}/api/v1/host-reports`, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) });
}

test("documents allow nothing inline and nothing from elsewhere; assets are there, and known again", async (t) => {
  await using place = await startSupernode();
  for (const path of ["/", "/hosts", "/seeders", "/bans"]) {
    const answer = await fetch(place.url + path);
    t.is(answer.status, 200, path);
    t.regex(answer.headers.get("content-security-policy") ?? "", /default-src 'none'; script-src 'self'; style-src 'self'/);
    t.notRegex(answer.headers.get("content-security-policy") ?? "", /unsafe|\*|https?:/);
    const text = await answer.text();
    t.notRegex(text, /<script(?![^>]*\bsrc="\/assets\/)|<style|\sstyle=|\son[a-z]+=/i, path);
    const assets = [...text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, asset]) => asset);
    t.true(assets.length >= 3, path);
    for (const asset of assets) {
      const first = await fetch(place.url + asset);
      t.is(first.status, 200, asset);
      // fetch() itself would forbid the answer 304
      const again = await requestJson({ url: place.url + asset, headers: { "if-none-match": first.headers.get("etag") ?? "" } });
      t.is(again.status, 304, asset);
    }
  }
  for (const path of ["/assets/tsconfig.json", "/assets/..%2fapi.ts", "/assets/nothing.ts", "/tasks/0"])
    t.is((await fetch(place.url + path)).status, 404, path);
});

test("names from outside are text in the document", async (t) => {
  await using place = await startSupernode();
  const answer = await fetch(`${place.url}/tasks/${encodeURIComponent("<script>alert(1)</script>")}`);
  t.is(answer.status, 404);
  t.notRegex(await answer.text(), /<script>alert/);
});

test("a host that reports is on the page of hosts, with its name as it may be shown", async (t) => {
  await using place = await startSupernode();
  const answer = await post(place.url, report({ name: "no\u202ede7\n", peer: { id: HOST, port: 65002, idc: "fra1" } }));
  t.deepEqual(await answer.json(), { nextSeconds: 2, whole: false });
  const { rows } = (await (await fetch(`${place.url}/api/v1/stats/hosts`)).json()) as { rows: object[] };
  t.like(rows[0], { name: "node7", idc: "fra1", address: "127.0.0.1:65002", tasks: 0 });
  // of the unknown, everything is wanted
  const other = await post(place.url, report({ whole: false, peer: { id: HOST.replace(/1$/, "2"), port: 1 } }));
  t.deepEqual(await other.json(), { nextSeconds: 2, whole: true });
  // seeders prove who they are on their link
  await post(place.url, report({ peer: { id: HOST.replace("534b", "5353"), port: 1 } }));
  t.is(((await (await fetch(`${place.url}/api/v1/stats/hosts`)).json()) as { rows: object[] }).rows.length, 1);
});

test("malformed reports are refused in words", async (t) => {
  await using place = await startSupernode();
  const task = { infoHash: "0".repeat(40), bytesHave: 1, piecesHave: 1, from: { origin: 0, seeder: 0, peers: 0 } };
  const bad = [
    "{",
    [],
    report({ peer: { id: "x", port: 1 } }),
    report({ peer: { id: HOST, port: 70_000 } }),
    report({ uptimeSeconds: -1 }),
    report({ name: 5 }),
    report({ tasks: Array.from({ length: 201 }, () => task) }),
    report({ tasks: [{ ...task, uploadedBytes: 1.5 }] }),
    report({
      tasks: [{ ...task, uploadedBytes: 0, downloadBytesPerSecond: 0, uploadBytesPerSecond: 0, connections: 0, pieces: "A".repeat(5000) }],
    }),
  ];
  for (const body of bad) {
    const answer = await post(place.url, body);
    t.is(answer.status, 400, JSON.stringify(body).slice(0, 100));
    t.is(((await answer.json()) as { error: { code: string } }).error.code, "bad_request");
  }
});

test("where tokens are wanted, the page wants the scope read, and a browser is told how to bring it", async (t) => {
  await using folder = await temporaryFolder();
  const tokens = join(folder.path, "tokens.yaml");
  const reader = await addToken(tokens, { name: "reader", scopes: ["read"] });
  const host = await addToken(tokens, { name: "host", scopes: ["download"] });
  await using place = await startSupernode({ access: { mode: "token", tokens } });
  for (const path of ["/", "/assets/style.css", "/api/v1/stats", "/api/v1/stats/hosts"]) {
    const bare = await fetch(place.url + path);
    t.is(bare.status, 401, path);
    t.regex(bare.headers.get("www-authenticate") ?? "", /Basic realm=/);
    t.is((await fetch(place.url + path, { headers: { authorization: `Bearer ${host}` } })).status, 403, path);
    const basic = `Basic ${Buffer.from(`anyone:${reader}`).toString("base64")}`;
    t.is((await fetch(place.url + path, { headers: { authorization: basic } })).status, 200, path);
  }
  const send = (token: string): Promise<Response> =>
    fetch(`${place.url}/api/v1/host-reports`, {
      method: "POST",
      body: JSON.stringify(report()),
      headers: { authorization: `Bearer ${token}` },
    });
  t.is((await send(host)).status, 200);
  t.is((await send(reader)).status, 403);
});

test("totals come back from their file, and begin anew where it is damaged", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "totals.json");
  const account = { origin: 1, seeder: 20, peers: 300, fetched: 20, uploaded: 300, seeded: 20 };
  const totals = async (): Promise<object> => {
    await using place = await startSupernode({ data: folder.path });
    return ((await (await fetch(`${place.url}/api/v1/stats`)).json()) as { fields: object }).fields;
  };
  await writeFile(path, JSON.stringify({ sinceMs: 1000, all: account, tasks: [["ab".repeat(32), account]] }));
  t.like(await totals(), { sinceMs: 1000, bytes: account, savedBytes: 300, peerShare: 300 / 321 });
  for (const text of ["{", '{"sinceMs":1,"all":{"origin":-1},"tasks":[]}']) {
    await writeFile(path, text);
    t.like(await totals(), { savedBytes: 0, peerShare: null });
  }
});
