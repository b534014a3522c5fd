/**
 * Pulls through the mirror of real daemons, from a scripted registry: what an engine sees, and what the registry was asked.
 */
import { randomBytes } from "node:crypto";
import test from "ava";
import type { TaskRow } from "../../peer/daemon/daemon-api.ts";
import { digestOf } from "../../registry/digest.ts";
import { accessRows, copiesSent, pull, startMirrorPlace, storedTasks } from "../support/mirror-place.ts";
import { until } from "../support/processes.ts";
import { ScriptedRegistry } from "../support/scripted-registry.ts";

const MIB = 1024 * 1024;
const IMAGE = "application/vnd.oci.image.manifest.v1+json";

test("a blob: status, headers, ranges and conditions as engines expect them", async (t) => {
  await using place = await startMirrorPlace();
  const bytes = randomBytes(3 * MIB + 17);
  const { digest } = place.registry.addBlob("library/app", bytes);
  const { ready } = await place.start("h0");
  const url = `${ready.mirror}/v2/app/blobs/${digest}`;
  const head = await pull(url, {}, "HEAD");
  t.like(head, { status: 200 });
  t.is(head.headers["content-length"], String(bytes.length));
  const whole = await pull(url);
  t.is(whole.status, 200);
  t.true(whole.body.equals(bytes));
  t.like(whole.headers, { "docker-content-digest": digest, etag: `"${digest}"`, "accept-ranges": "bytes", "x-skimmer-cache": "miss" });
  t.regex(whole.headers["x-skimmer-task"] as string, /^[0-9a-f]{40}$/);
  const cases: [string, number, number, number][] = [
    ["bytes=0-", 206, 0, bytes.length],
    ["bytes=100-199", 206, 100, 200],
    [`bytes=${bytes.length - 1}-`, 206, bytes.length - 1, bytes.length],
    ["bytes=-5", 206, bytes.length - 5, bytes.length],
    ["bytes=1000000-99999999999", 206, 1_000_000, bytes.length],
    ["bytes=5-4", 200, 0, bytes.length],
    ["bytes=0-1,3-4", 200, 0, bytes.length],
  ];
  for (const [range, status, first, end] of cases) {
    const part = await pull(url, { range });
    t.is(part.status, status, range);
    t.true(part.body.equals(bytes.subarray(first, end)), range);
    t.is(part.headers["content-length"], String(end - first), range);
    if (status === 206) t.is(part.headers["content-range"], `bytes ${first}-${end - 1}/${bytes.length}`, range);
  }
  const behind = await pull(url, { range: `bytes=${bytes.length}-` });
  t.like(behind, { status: 416 });
  t.is(behind.headers["content-range"], `bytes */${bytes.length}`);
  t.is((await pull(url, { range: "bytes=0-9", "if-range": `"${digest}"` })).status, 206);
  t.is((await pull(url, { range: "bytes=0-9", "if-range": '"other"' })).status, 200);
  t.is((await pull(url, { "if-none-match": `"${digest}"` })).status, 304);
  const again = await pull(url, {}, "HEAD");
  t.like(again.headers, { "x-skimmer-cache": "hit", "content-length": String(bytes.length) });
});

test("parallel ranges of one blob, as containerd reads them, join one task: the registry sends one copy", async (t) => {
  await using place = await startMirrorPlace();
  const bytes = randomBytes(20 * MIB);
  const { digest } = place.registry.addBlob("team/app", bytes);
  const { ready } = await place.start("h0");
  const url = `${ready.mirror}/v2/team/app/blobs/${digest}`;
  const starts = [0, 4, 8, 12, 16].map((mib) => mib * MIB);
  const parts = await Promise.all(starts.map((start) => pull(url, { range: `bytes=${start}-` })));
  for (const [index, { status, body }] of parts.entries()) {
    t.is(status, 206);
    t.true(body.equals(bytes.subarray(starts[index])));
  }
  const sent = copiesSent(place.registry, digest, bytes.length);
  t.true(sent < 1.05, `${sent} copies`);
});

test("lazy pulling: a closed range brings a second host the pieces of that range and no more", async (t) => {
  await using place = await startMirrorPlace();
  const bytes = randomBytes(24 * MIB);
  const { digest } = place.registry.addBlob("team/app", bytes);
  const first = await place.start("h0");
  await pull(`${first.ready.mirror}/v2/team/app/blobs/${digest}`);
  const { ready } = await place.start("h1");
  const url = `${ready.mirror}/v2/team/app/blobs/${digest}`;
  for (const start of [10 * MIB + 5, 20 * MIB]) {
    const part = await pull(url, { range: `bytes=${start}-${start + 299_999}` });
    t.is(part.status, 206);
    t.true(part.body.equals(bytes.subarray(start, start + 300_000)));
  }
  const [task] = await storedTasks(ready.socket);
  // 256 KiB pieces: 300,000 bytes touch at most three
  t.true(task.bytesHave > 0 && task.bytesHave <= 6 * 256 * 1024, `${task.bytesHave}`);
  t.true((await pull(url)).body.equals(bytes));
});

test("a private repository: challenges pass through, each caller needs his own way in, also for a known digest", async (t) => {
  await using place = await startMirrorPlace({ auth: "bearer" });
  const { registry } = place;
  const bytes = randomBytes(2 * MIB);
  const { digest } = registry.addBlob("team/secret", bytes);
  registry.addBlob("team/other", bytes);
  const { ready } = await place.start("h0");
  const url = `${ready.mirror}/v2/team/secret/blobs/${digest}`;
  registry.tokens.set("right", "repository:team/secret:pull");
  registry.tokens.set("foreign", "repository:team/other:pull");
  const challenge = `Bearer realm="/token",service="scripted",scope="repository:team/secret:pull"`;
  const strangers: Record<string, string>[] = [{}, { authorization: "Bearer wrong" }, { authorization: "Bearer foreign" }];
  for (const headers of strangers) {
    const refused = await pull(url, headers);
    t.is(refused.status, 401);
    t.is(refused.headers["www-authenticate"], challenge);
    t.regex(refused.body.toString(), /UNAUTHORIZED/);
  }
  const allowed = await pull(url, { authorization: "Bearer right" });
  t.is(allowed.status, 200);
  t.true(allowed.body.equals(bytes));
  // now it is stored here, and still nobody else's
  for (const headers of strangers) t.is((await pull(url, headers)).status, 401);
  const elsewhere = await pull(url.replace("team/secret", "team/other"), { authorization: "Bearer foreign" });
  t.is(elsewhere.status, 200);
  t.like(elsewhere.headers, { "x-skimmer-cache": "hit", "x-skimmer-task": allowed.headers["x-skimmer-task"] });
});

test("credentials of the mirror's own: 100 layers at once, one token request; others' realms stay theirs", async (t) => {
  await using place = await startMirrorPlace({ auth: "bearer" }, ["    username: user", "    password: pass"]);
  const { registry } = place;
  const digests = Array.from({ length: 100 }, () => registry.addBlob("team/app", randomBytes(1000)).digest);
  const { ready } = await place.start("h0");
  t.is((await pull(`${ready.mirror}/v2/`)).status, 200);
  const answers = await Promise.all(digests.map((digest) => pull(`${ready.mirror}/v2/team/app/blobs/${digest}`)));
  t.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  t.true(answers.every(({ body }, index) => digestOf(body) === digests[index]));
  t.is(registry.count(/\/token\?/), 1);
});

test("layers behind signed redirects: followed without the registry's credentials, one task whatever the signature", async (t) => {
  await using place = await startMirrorPlace({ auth: "bearer", redirectBlobs: true });
  const { registry } = place;
  registry.tokens.set("right", "repository:team/app:pull");
  const bytes = randomBytes(5 * MIB);
  const { digest } = registry.addBlob("team/app", bytes);
  const { ready } = await place.start("h0");
  const url = `${ready.mirror}/v2/team/app/blobs/${digest}`;
  const answer = await pull(url, { authorization: "Bearer right" });
  t.true(answer.body.equals(bytes));
  t.is((await pull(url, { authorization: "Bearer right" }, "HEAD")).headers["content-length"], String(bytes.length));
  t.true(registry.storeRequests.length > 0);
  t.true(registry.storeRequests.every(({ headers }) => headers.authorization === undefined));
});

test("what the registry refuses reaches the engine as it is: 404, 429, 403", async (t) => {
  await using place = await startMirrorPlace();
  const { registry } = place;
  const { ready } = await place.start("h0");
  const absent = `/v2/team/app/blobs/sha256:${"0".repeat(64)}`;
  const none = await pull(ready.mirror + absent);
  t.is(none.status, 404);
  t.regex(none.body.toString(), /BLOB_UNKNOWN/);
  t.is((await pull(`${ready.mirror}/v2/team/app/manifests/absent`)).status, 404);
  for (const status of [429, 403]) {
    registry.behaviour.fail.set(absent, status).set("/v2/team/app/manifests/v1", status);
    for (const path of [absent, "/v2/team/app/manifests/v1"]) {
      const answer = await pull(ready.mirror + path);
      t.is(answer.status, status, path);
      t.regex(answer.body.toString(), /scripted/);
    }
  }
});

test("manifests: by tag asked at each pull, by digest from the store; registry down: the last known, marked, for who may", async (t) => {
  await using place = await startMirrorPlace({ auth: "none" });
  const { registry } = place;
  const one = registry.addImage({ repository: "team/app", tag: "v1", layers: [randomBytes(MIB)] });
  const daemon = await place.start("h0");
  const base = daemon.ready.mirror;
  const accept = { accept: IMAGE };
  const first = await pull(`${base}/v2/team/app/manifests/v1`, accept);
  t.like(first.headers, { "docker-content-digest": one.digest, "content-type": IMAGE, "x-skimmer-cache": "miss" });
  const byDigest = await pull(`${base}/v2/team/app/manifests/${one.digest}`, accept);
  t.true(byDigest.body.equals(first.body));
  t.is(registry.count(/GET .*manifests\//), 1);
  t.like((await pull(`${base}/v2/team/app/manifests/v1`, accept)).headers, { "x-skimmer-cache": "hit" });
  t.is(registry.count(/GET .*manifests\//), 1);
  t.is(registry.count(/HEAD .*manifests\/v1/), 1);
  const two = registry.addImage({ repository: "team/app", tag: "v1", layers: [randomBytes(MIB)] });
  const moved = await pull(`${base}/v2/team/app/manifests/v1`, accept);
  t.like(moved.headers, { "docker-content-digest": two.digest });
  for (const digest of two.blobs) t.is((await pull(`${base}/v2/team/app/blobs/${digest}`)).status, 200);

  for (const path of registry.manifests.keys()) registry.behaviour.fail.set(`/v2/${path.replace(/\/([^/]+)$/, "/manifests/$1")}`, 503);
  for (const path of registry.blobs.keys()) registry.behaviour.fail.set(`/v2/${path.replace(/\/([^/]+)$/, "/blobs/$1")}`, 503);
  const stale = await pull(`${base}/v2/team/app/manifests/v1`, accept);
  t.like(stale.headers, { "docker-content-digest": two.digest, "x-skimmer-cache": "stale" });
  t.regex(stale.headers.warning ?? "", /^110 /);
  // another daemon life, another acceptance: only the store is left
  await place.cluster.stopDaemon("h0");
  const reborn = (await place.start("h0")).ready.mirror;
  t.like((await pull(`${reborn}/v2/team/app/manifests/v1`, accept)).headers, { "x-skimmer-cache": "stale" });
  const layer = await pull(`${reborn}/v2/team/app/blobs/${two.blobs[1]}`);
  t.is(layer.status, 200, layer.body.toString().slice(0, 300));
  t.like(layer.headers, { "x-skimmer-cache": "stale" });
  t.is((await pull(`${reborn}/v2/team/app/manifests/v1`, { ...accept, authorization: "Bearer unknown" })).status, 200);
  t.is((await pull(`${reborn}/v2/team/never/manifests/v1`, accept)).status, 404);
});

test("wrong bytes at the registry: never handed out as complete, never kept; right again, and right for the next", async (t) => {
  await using place = await startMirrorPlace();
  const { registry } = place;
  const right = randomBytes(3 * MIB);
  const wrong = Buffer.from(right);
  wrong[MIB] ^= 1;
  const digest = digestOf(right);
  registry.blobs.set(`team/app/${digest}`, { bytes: wrong, mediaType: "application/octet-stream" });
  const { ready } = await place.start("h0");
  const url = `${ready.mirror}/v2/team/app/blobs/${digest}`;
  const beganMs = performance.now();
  t.false((await pull(url)).complete);
  // the seeder says so when it is asked again after two seconds of silence; a silent swarm alone would be waited for for 20
  t.true(performance.now() - beganMs < 15_000);
  t.false((await pull(url)).complete);
  const probes = registry.requests.filter(({ headers }) => headers.range === "bytes=0-0");
  t.true(probes.length <= 3, `${probes.length} times it was tried`);
  registry.blobs.set(`team/app/${digest}`, { bytes: right, mediaType: "application/octet-stream" });
  const good = await pull(url);
  t.true(good.complete && good.body.equals(right));
  // a host that had nothing to do with it: the seeder did not keep the wrong content either
  const other = await place.start("h1");
  const otherUrl = `${other.ready.mirror}/v2/team/app/blobs/${digest}`;
  // until the seeder tries the registry once more the blob comes from there directly
  await until(async () => (await pull(otherUrl, { range: "bytes=0-0" })).headers["x-skimmer-source"] === "swarm", 30_000);
  const fresh = await pull(otherUrl);
  t.true(fresh.complete && fresh.body.equals(right));
  // a manifest with other bytes than its digest
  const manifest = registry.addImage({ repository: "team/app", tag: "v1", layers: [right] });
  registry.manifests.set(`team/app/${manifest.digest}`, { bytes: Buffer.from("{}"), mediaType: IMAGE });
  t.is((await pull(`${ready.mirror}/v2/team/app/manifests/${manifest.digest}`)).status, 502);
});

test("a registry that breaks off again and again: the engine gets the whole blob; one that is short: never as if it were whole", async (t) => {
  await using place = await startMirrorPlace({ cutBlobsAfter: 300_000 });
  const { registry } = place;
  const bytes = randomBytes(MIB);
  const { digest } = registry.addBlob("team/app", bytes);
  const { ready } = await place.start("h0");
  const good = await pull(`${ready.mirror}/v2/team/app/blobs/${digest}`);
  t.true(good.complete && good.body.equals(bytes));
  registry.behaviour.cutBlobsAfter = 0;
  const other = randomBytes(MIB);
  const short = digestOf(other);
  registry.blobs.set(`team/app/${short}`, { bytes: other.subarray(0, MIB - 5), mediaType: "application/octet-stream" });
  for (const range of ["", "bytes=0-"])
    t.false((await pull(`${ready.mirror}/v2/team/app/blobs/${short}`, range === "" ? {} : { range })).complete);
});

test("several registries: ?ns=, path prefix, Host header, rewrite; unknown ones where that is forbidden", async (t) => {
  await using other = await ScriptedRegistry.start();
  const host = `localhost:${new URL(other.base).port}`;
  const yaml = [
    `  ${host}:`,
    `    url: ${other.base}`,
    "    rewrite:",
    "      - from: ^cached/(.*)",
    "        to: real/$1",
    "other-registries: false",
  ];
  await using place = await startMirrorPlace({}, yaml);
  const { ready } = await place.start("h0");
  const here = place.registry.addBlob("library/app", Buffer.from("docker.io")).digest;
  const there = other.addBlob("app", Buffer.from("other")).digest;
  const real = other.addBlob("real/app", Buffer.from("real")).digest;
  const text = async (path: string, headers = {}): Promise<string> => (await pull(ready.mirror + path, headers)).body.toString();
  t.is(await text(`/v2/app/blobs/${here}`), "docker.io");
  t.is(await text(`/v2/app/blobs/${here}?ns=docker.io`), "docker.io");
  t.is(await text(`/v2/app/blobs/${there}?ns=${host}`), "other");
  t.is(await text(`/v2/${host}/app/blobs/${there}`), "other");
  t.is(await text(`/v2/app/blobs/${there}`, { host }), "other");
  t.is(await text(`/v2/cached/app/blobs/${real}?ns=${host}`), "real");
  t.is((await pull(`${ready.mirror}/v2/app/blobs/${here}?ns=evil.example`)).status, 400);
});

test("no supernode: the daemon brings the blob itself; the engine leaves: the download goes on, then stops", async (t) => {
  await using place = await startMirrorPlace();
  const bytes = randomBytes(12 * MIB);
  const { digest } = place.registry.addBlob("team/app", bytes);
  const daemon = await place.start("h0", ["--supernode", "http://127.0.0.1:9", "--download-limit", "2MB", "--mirror-linger", "2s"]);
  const url = `${daemon.ready.mirror}/v2/team/app/blobs/${digest}`;
  const leaving = new AbortController();
  const answer = await fetch(url, { signal: leaving.signal });
  const reader = answer.body?.getReader();
  await reader?.read();
  leaving.abort();
  const row = async (): Promise<TaskRow | undefined> => (await storedTasks(daemon.ready.socket))[0];
  const atLeaving = (await row())?.bytesHave ?? 0;
  // it goes on while it lingers, and stops at last
  await until(async () => {
    const now = await row();
    return now?.downloading === true && now.bytesHave > atLeaving;
  });
  await until(async () => (await row())?.downloading === false, 30_000);
  const atEnd = (await row())?.bytesHave ?? 0;
  t.true(atEnd < bytes.length, `${atEnd}`);
  const rows = accessRows(daemon.stderr());
  t.true(rows.some(({ complete, path }) => !complete && path.includes(digest)));
});
