/**
 * Preheats on real processes: a registry with a token server, the supernode and its seeder, and then a host that wants what was
 * preheated. The registry's own log tells how often each layer was read.
 */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { requestJson } from "../../system/json-http.ts";
import { Cluster } from "../support/cluster.ts";
import { startCommand, until } from "../support/processes.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { ScriptedRegistry } from "../support/scripted-registry.ts";

const REPOSITORY = "team/app";

async function call(cluster: Cluster, path: string, body?: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const { status, body: answer } = await requestJson({ url: cluster.url + path, body });
  return { status, body: (answer ?? {}) as Record<string, unknown> };
}

/** Polls as Harbor does. */
async function finalStatus(cluster: Cluster, path: string, field: string, open: readonly string[]): Promise<Record<string, unknown>> {
  let body: Record<string, unknown> = {};
  await until(async () => {
    ({ body } = await call(cluster, path));
    return !open.includes(String(body[field]));
  }, 30_000);
  return body;
}

const preheatV1 = async (t: ExecutionContext, cluster: Cluster, body: object): Promise<Record<string, unknown>> => {
  const created = await call(cluster, "/preheats", body);
  t.is(created.status, 201, JSON.stringify(created.body));
  return finalStatus(cluster, `/preheats/${created.body.ID}`, "status", ["WAITING", "RUNNING"]);
};

/** Bytes of bodies that the registry and its store sent for a blob, by the ranges asked for. */
function readsOf(registry: ScriptedRegistry, digest: string): number {
  return [...registry.requests, ...registry.storeRequests].filter(
    ({ method, path, status, headers }) => method === "GET" && path.includes(`/${digest}`) && status < 300 && headers.range !== "bytes=0-0",
  ).length;
}

test("as Harbor does it with Dragonfly 1.0: create, poll, again; a host then gets the layers without the registry sending them again", async (t) => {
  await using registry = await ScriptedRegistry.start({ auth: "bearer", redirectBlobs: true });
  await using cluster = await Cluster.start({ daemons: 1 });
  const layers = [randomBytes(3_000_000), randomBytes(700_000)];
  const image = registry.addImage({ repository: REPOSITORY, tag: "v1", layers });
  t.is((await call(cluster, "/healthz")).status, 200);
  const ping = await fetch(`${cluster.url}/_ping`);
  t.is(await ping.text(), "OK");
  const token = "harbor-made";
  registry.tokens.set(token, `repository:${REPOSITORY}:pull`);
  const body = {
    type: "image",
    url: `${registry.base}/v2/${REPOSITORY}/manifests/v1`,
    headers: { Authorization: `Bearer ${token}` },
    image: REPOSITORY,
    tag: "v1",
    digest: image.digest,
  };
  const info = await preheatV1(t, cluster, body);
  t.like(info, { status: "SUCCESS" }, JSON.stringify(info));
  t.true(Date.parse(String(info.startTime)) <= Date.parse(String(info.finishTime)));
  const before = image.blobs.map((digest) => readsOf(registry, digest));
  t.true(before.every((reads) => reads > 0));

  // the second time works too, and reads nothing but headers
  t.like(await preheatV1(t, cluster, body), { status: "SUCCESS" });
  // what a pull through the mirror asks for: another repository's URL of the same layer, and another token of an accepted caller
  registry.blobs.set(`mirrored/app/${image.blobs[1]}`, { bytes: layers[0], mediaType: "application/octet-stream" });
  registry.tokens.set("other-token", "repository:mirrored/app:pull");
  const url = `${registry.base}/v2/mirrored/app/blobs/${image.blobs[1]}`;
  const outcome = await cluster.dfget("h0", url, ["--digest", image.blobs[1], "--header", "Authorization: Bearer other-token"]);
  t.like(outcome, { exitCode: 0, from: { origin: 0, seeder: 3_000_000 } });
  t.true((await readFile(cluster.output("h0"))).equals(layers[0]));
  t.deepEqual(
    image.blobs.map((digest) => readsOf(registry, digest)),
    before,
  );
  // who is not accepted there gets nothing, preheated or not
  const refused = await cluster.dfgetRaw("h0", url, ["--digest", image.blobs[1], "--header", "Authorization: Bearer wrong", "--notbs"]);
  t.is(refused.exitCode, 11);
  t.is((await call(cluster, "/preheats/123")).status, 404);
  t.is((await call(cluster, "/preheats", { type: "image" })).status, 400);
});

test("as later Harbors do it with Dragonfly 2, name and password given", async (t) => {
  await using registry = await ScriptedRegistry.start({ auth: "bearer" });
  await using cluster = await Cluster.start();
  registry.addImage({ repository: REPOSITORY, tag: "v1", layers: [randomBytes(500_000)] });
  t.is(await (await fetch(`${cluster.url}/healthy`)).text(), "OK");
  const headers = { Authorization: `Basic ${Buffer.from("user:pass").toString("base64")}` };
  const args = { type: "image", url: `${registry.base}/v2/${REPOSITORY}/manifests/v1`, headers, tag: "", scope: "single_seed_peer" };
  const created = await call(cluster, "/oapi/v1/jobs", { type: "preheat", args });
  t.like(created, { status: 200, body: { state: "PENDING" } });
  t.true(Number.isSafeInteger(created.body.id));
  t.like(await finalStatus(cluster, `/oapi/v1/jobs/${created.body.id}`, "state", ["PENDING"]), { state: "SUCCESS" });
  const wrong = { ...args, headers: { Authorization: `Basic ${Buffer.from("user:no").toString("base64")}` } };
  const refused = await call(cluster, "/oapi/v1/jobs", { type: "preheat", args: wrong });
  const failure = await finalStatus(cluster, `/oapi/v1/jobs/${refused.body.id}`, "state", ["PENDING"]);
  t.is(failure.state, "FAILURE");
  t.regex(JSON.stringify(failure.result), /answered 401/);
});

test("a file is preheated with the caller's headers and is there when dfget asks", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 1 });
  const content = randomBytes(2_000_000);
  const { url } = origin.add("/f.bin", content, { authorization: "Bearer k" });
  const headers = { authorization: "Bearer k" };
  const created = await call(cluster, "/api/v1/preheats", { url, headers });
  t.is(created.status, 201);
  const job = await finalStatus(cluster, `/api/v1/preheats/${created.body.id}`, "state", ["waiting", "running"]);
  t.like(job, { state: "success", type: "file", files: { total: 1, done: 1, failed: 0 }, lengthBytes: 2_000_000 });
  t.false(JSON.stringify(job).includes("Bearer"));
  const sent = origin.bytesSent;
  t.like(await cluster.dfget("h0", url, ["--header", "Authorization: Bearer k"]), { exitCode: 0, from: { origin: 0, seeder: 2_000_000 } });
  t.true(origin.bytesSent - sent < 1000);
  t.deepEqual((await call(cluster, "/api/v1/preheats")).body, { preheats: [] });
  const absent = await call(cluster, "/api/v1/preheats", { url: `${origin.url}/absent` });
  const failed = await finalStatus(cluster, `/api/v1/preheats/${absent.body.id}`, "state", ["waiting", "running"]);
  t.like(failed, { state: "failed", error: { code: "origin_not_found", status: 404 } });
});

test("a preheat survives kill -9 of the supernode, and goes on where its seeder was", async (t) => {
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 4_000_000 });
  await using cluster = await Cluster.start();
  const length = 8_000_000;
  const { url } = origin.add("/slow.bin", randomBytes(length));
  const created = await call(cluster, "/api/v1/preheats", { url });
  await until(() => origin.bytesSent > 2_000_000, 20_000);
  await cluster.supernode.stop("SIGKILL");
  await cluster.restartSupernode();
  const job = await finalStatus(cluster, `/api/v1/preheats/${created.body.id}`, "state", ["waiting", "running"]);
  t.like(job, { state: "success", lengthBytes: length });
  // one copy, and what was in flight at the kill: at most 8 MB in pieces of 256 KiB, 4 connections
  t.true(origin.bytesSent < length + 3_000_000, `${origin.bytesSent}`);
});

test("an image spreads over all seeders; when one goes away, the other does its part", async (t) => {
  await using registry = await ScriptedRegistry.start();
  await using cluster = await Cluster.start({ supernodeArgs: ["--seeder-metrics", "127.0.0.1:0"] });
  const key = join(cluster.folder, "supernode", "seeder", "cluster.key");
  const data = join(cluster.folder, "second");
  const args = ["--supernode", cluster.url, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--data", data, "--cluster-key", key];
  const second = cluster.use(await startCommand({ command: "seeder", args: [...args, "--log-level", "warn"] }));
  await until(async () => ((await call(cluster, "/healthz")).body.seeders as number) === 2);
  const layers = Array.from({ length: 24 }, () => randomBytes(20_000));
  registry.addImage({ repository: REPOSITORY, tag: "v1", layers });
  const body = { type: "image", url: `${registry.base}/v2/${REPOSITORY}/manifests/v1` };
  t.like(await preheatV1(t, cluster, body), { status: "SUCCESS" });
  const held = async (url: string): Promise<number> => {
    const text = await (await fetch(url)).text();
    return Number(/^skimmer_tasks\{state="final"\} (\d+)$/m.exec(text)?.[1]);
  };
  const counts = [await held(cluster.supernode.ready.seederMetrics), await held(second.ready.metrics)];
  // 25 files; that one of two gets none has the chance 2 · 2⁻²⁵
  t.is(counts[0] + counts[1], 25);
  t.true(counts[0] > 0 && counts[1] > 0, `${counts}`);
  await second.stop("SIGKILL");
  t.like(await preheatV1(t, cluster, body), { status: "SUCCESS" });
  t.is(await held(cluster.supernode.ready.seederMetrics), 25);
});
