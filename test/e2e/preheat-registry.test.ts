/**
 * Preheats from the real docker-registry: an image by name, and what is pushed, by its webhooks, into a registry that wants a login.
 */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { requestJson } from "../../system/json-http.ts";
import type { PreheatJob } from "../../tracker/preheat/preheat-job.ts";
import { makeCertificate } from "../support/certificates.ts";
import { Cluster } from "../support/cluster.ts";
import { hasDockerRegistry, REGISTRY_LOGIN, startDockerRegistry } from "../support/docker-registry.ts";
import { until } from "../support/processes.ts";
import { TokenServer } from "../support/token-server.ts";

/** Left out where docker-registry is not installed (apt-get install docker-registry); .ci/run installs it. */
const registryTest = hasDockerRegistry() ? test : test.skip;
const { username, password } = REGISTRY_LOGIN;
const BASIC = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** The supernode's file: its list leaves out what was made with credentials. */
async function storedJobs(cluster: Cluster): Promise<PreheatJob[]> {
  const text = await readFile(join(cluster.folder, "supernode", "preheats.json"), "utf8").catch(() => '{"preheats":[]}');
  return (JSON.parse(text) as { preheats: PreheatJob[] }).preheats;
}

/** GETs of a blob that sent content, in the access log; a probe reads one byte. */
function reads(log: string, digest: string): number {
  return [...log.matchAll(new RegExp(`"GET [^"]*${digest}[^"]*" 20[06] (\\d+)`, "g"))].filter(([, bytes]) => Number(bytes) > 1).length;
}

registryTest("POST /api/v1/preheats of an image: right, wrong and no credentials", async (t) => {
  await using registry = await startDockerRegistry({ login: true });
  await using cluster = await Cluster.start({ daemons: 1 });
  const layers = [randomBytes(2_000_000), randomBytes(300_000)];
  const { blobs } = await registry.push("team/app", "v1", layers);
  const preheat = async (body: object): Promise<Record<string, unknown>> => {
    const { body: created } = await requestJson({ url: `${cluster.url}/api/v1/preheats`, body });
    const url = `${cluster.url}/api/v1/preheats/${(created as { id: string }).id}`;
    let job = created as Record<string, unknown>;
    await until(async () => {
      job = (await requestJson({ url })).body as Record<string, unknown>;
      return job.state !== "waiting" && job.state !== "running";
    }, 30_000);
    return job;
  };
  const image = `${registry.host}/team/app:v1`;
  t.like(await preheat({ image }), { state: "failed", error: { code: "origin_refused", status: 401 } });
  t.like(await preheat({ image, username, password: "wrong" }), { state: "failed", error: { code: "origin_refused" } });
  t.like(await preheat({ image: `${image}-absent`, username, password }), { state: "failed", error: { code: "origin_not_found" } });
  t.deepEqual(
    blobs.map((digest) => reads(registry.log(), digest)),
    [0, 0, 0],
  );
  t.like(await preheat({ image, username, password }), { state: "success", files: { total: 3, done: 3, failed: 0 } });
  const before = blobs.map((digest) => reads(registry.log(), digest));
  t.true(before.every((count) => count > 0));
  t.like(await preheat({ image, username, password, platforms: ["linux/amd64"] }), { state: "success" });

  const url = `${registry.base}/v2/team/app/blobs/${blobs[1]}`;
  const outcome = await cluster.dfget("h0", url, ["--digest", blobs[1], "--header", `Authorization: ${BASIC}`]);
  t.like(outcome, { exitCode: 0, from: { origin: 0, seeder: 2_000_000 } });
  t.true((await readFile(cluster.output("h0"))).equals(layers[0]));
  t.deepEqual(
    blobs.map((digest) => reads(registry.log(), digest)),
    before,
  );
});

registryTest("an https registry with an authority of its own and a token server: one token for all layers", async (t) => {
  await using certificate = await makeCertificate();
  await using server = await TokenServer.start(certificate, REGISTRY_LOGIN);
  await using registry = await startDockerRegistry({ token: { server, certificate } });
  await using cluster = await Cluster.start({ supernodeArgs: ["--origin-ca", certificate.caFile] });
  const layers = Array.from({ length: 12 }, () => randomBytes(50_000));
  await registry.push("team/app", "v1", layers);
  const url = `${registry.base}/v2/team/app/manifests/v1`;
  const preheat = async (login: object): Promise<PreheatJob> => {
    const { body } = await requestJson({ url: `${cluster.url}/api/v1/preheats`, body: { url, ...login } });
    let job = body as PreheatJob;
    await until(async () => {
      job = (await requestJson({ url: `${cluster.url}/api/v1/preheats/${job.id}` })).body as PreheatJob;
      return job.state !== "waiting" && job.state !== "running";
    }, 30_000);
    return job;
  };
  t.like(await preheat({ username, password }), { state: "success", files: { total: 13, done: 13, failed: 0 } });
  t.deepEqual(server.asked, ["repository:team/app:pull"]);
  t.like(await preheat({ username, password: "wrong" }), { state: "failed", error: { code: "origin_refused", status: 401 } });
  t.is(server.asked.length, 2);
});

registryTest("a push preheats each layer through the registry's notifications, with the supernode's own credentials", async (t) => {
  await using cluster = await Cluster.start({ daemons: 1 });
  const notify = { url: `${cluster.url}/api/v1/webhooks/registry`, authorization: "Bearer s3cret" };
  await using registry = await startDockerRegistry({ login: true, notify });
  const auth = join(cluster.folder, "config.json");
  await writeFile(
    auth,
    JSON.stringify({ auths: { [registry.host]: { auth: Buffer.from(`${username}:${password}`).toString("base64") } } }),
  );
  await cluster.restartSupernode(["--registry-auth", auth, "--webhook-secret", "s3cret", "--webhook-registry", registry.base]);
  const foreign = await requestJson({ url: notify.url, body: { events: [] }, headers: { authorization: "Bearer wrong" } });
  t.is(foreign.status, 401);

  const layers = [randomBytes(1_500_000), randomBytes(200_000)];
  const { blobs } = await registry.push("team/app", "v1", layers);
  // three blobs and the manifest
  await until(async () => {
    const jobs = await storedJobs(cluster);
    return jobs.length >= 4 && jobs.every(({ state }) => state === "success");
  }, 30_000);
  t.is((await storedJobs(cluster)).filter(({ spec }) => spec.kind === "image").length, 1);
  const before = blobs.map((digest) => reads(registry.log(), digest));
  for (const [index, bytes] of layers.entries()) {
    const url = `${registry.base}/v2/team/app/blobs/${blobs[index + 1]}`;
    const outcome = await cluster.dfget("h0", url, ["--digest", blobs[index + 1], "--header", `Authorization: ${BASIC}`]);
    t.like(outcome, { exitCode: 0, from: { origin: 0 } });
    t.true((await readFile(cluster.output("h0"))).equals(bytes));
  }
  t.deepEqual(
    blobs.map((digest) => reads(registry.log(), digest)),
    before,
  );
});

registryTest("Harbor's push event preheats the image it names, in both formats", async (t) => {
  await using registry = await startDockerRegistry();
  await using cluster = await Cluster.start();
  await cluster.restartSupernode(["--webhook-registry", registry.base]);
  const { manifest, blobs } = await registry.push("library/app", "v1", [randomBytes(400_000)]);
  const resources = [{ digest: manifest, tag: "v1", resource_url: "harbor.example/library/app:v1" }];
  const repository = { repo_full_name: "library/app" };
  const url = `${cluster.url}/api/v1/webhooks/harbor`;
  for (const body of [
    { type: "PUSH_ARTIFACT", occur_at: 1, operator: "admin", event_data: { resources, repository } },
    { specversion: "1.0", type: "harbor.artifact.pushed", data: { resources, repository } },
  ]) {
    const answer = await requestJson({ url, body });
    t.is(answer.status, 202);
    const [id] = (answer.body as { preheats: string[] }).preheats;
    let state: unknown;
    await until(async () => {
      ({ state } = (await requestJson({ url: `${cluster.url}/api/v1/preheats/${id}` })).body as { state: unknown });
      return state !== "waiting" && state !== "running";
    }, 30_000);
    t.is(state, "success");
  }
  t.true(blobs.every((digest) => reads(registry.log(), digest) > 0));
  t.deepEqual((await requestJson({ url, body: { type: "DELETE_ARTIFACT" } })).body, { preheats: [] });
});
