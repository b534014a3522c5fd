/** RegistryClient against a scripted registry with a token server and a store on another host. */
import test, { type ExecutionContext } from "ava";
import type { Credentials } from "../../../registry/credentials.ts";
import { digestOf } from "../../../registry/digest.ts";
import { listImageBlobs } from "../../../registry/image-blobs.ts";
import { parsePlatformName } from "../../../registry/manifest.ts";
import { RegistryClient } from "../../../registry/registry-client.ts";
import { openRegistryConnections, readWhole } from "../../../registry/registry-http.ts";
import { TokenCache } from "../../../registry/token-cache.ts";
import { ScriptedRegistry } from "../../support/scripted-registry.ts";

const REPOSITORY = "team/app";
const GOOD: Credentials = { kind: "password", username: "user", password: "pass" };
const signal = AbortSignal.timeout(60_000);

interface Setting extends AsyncDisposable {
  readonly registry: ScriptedRegistry;
  readonly clock: { ms: number; nowMs(): number };
  client(options?: { credentials?: Credentials; authorization?: string }): RegistryClient;
}

async function start(behaviour: Partial<ScriptedRegistry["behaviour"]> = {}): Promise<Setting> {
  const registry = await ScriptedRegistry.start(behaviour);
  const dispatcher = openRegistryConnections();
  const clock = {
    ms: 0,
    nowMs() {
      return this.ms;
    },
  };
  const tokens = new TokenCache({ clock });
  return {
    registry,
    clock,
    client: (options = {}) => new RegistryClient({ base: registry.base, tokens, dispatcher, clock, ...options }),
    [Symbol.asyncDispose]: async () => {
      await dispatcher.destroy();
      await registry[Symbol.asyncDispose]();
    },
  };
}

const blobCall = (digest: string) => ({ path: `/v2/${REPOSITORY}/blobs/${digest}`, repository: REPOSITORY, signal });

async function failsWith(t: ExecutionContext, promise: Promise<unknown>, code: string, status?: number): Promise<void> {
  const error = (await t.throwsAsync(promise)) as Error & { code: string; status?: number };
  t.is(error.code, code, error.message);
  t.is(error.status, status);
}

test("RegistryClient.send() asks for one token, however many layers come at once", async (t) => {
  await using setting = await start({ auth: "bearer" });
  const { registry } = setting;
  const digests = Array.from({ length: 100 }, (_, index) => registry.addBlob(REPOSITORY, Buffer.from(`layer ${index}`)).digest);
  const client = setting.client({ credentials: GOOD });
  const bodies = await Promise.all(digests.map(async (digest) => readWhole(await client.send(blobCall(digest)), 1000)));
  t.deepEqual(
    bodies.map((body) => digestOf(body)),
    digests,
  );
  t.is(registry.count(/^GET \/token/), 1);
  // known now: no challenge any more, and the same token
  const before = registry.count(/blobs/);
  await readWhole(await client.send(blobCall(digests[0])), 1000);
  t.is(registry.count(/blobs/), before + 1);
  t.is(registry.count(/^GET \/token/), 1);
});

test("RegistryClient.send() asks for a new token when one has run out, and when one was refused early", async (t) => {
  await using setting = await start({ auth: "bearer", tokenAnswer: (token) => ({ access_token: token }) });
  const { registry, clock } = setting;
  const { digest } = registry.addBlob(REPOSITORY, Buffer.from("x"));
  const client = setting.client({ credentials: GOOD });
  const pull = async (): Promise<number> => {
    const response = await client.send(blobCall(digest));
    await readWhole(response, 1000);
    return response.status;
  };
  t.is(await pull(), 200);
  // no expires_in: 60 s, less a tenth
  clock.ms = 53_999;
  t.is(await pull(), 200);
  t.is(registry.count(/^GET \/token/), 1);
  clock.ms = 54_001;
  t.is(await pull(), 200);
  t.is(registry.count(/^GET \/token/), 2);
  registry.tokens.clear();
  t.is(await pull(), 200);
  t.is(registry.count(/^GET \/token/), 3);
});

test("RegistryClient keeps tokens of different credentials and repositories apart", async (t) => {
  await using setting = await start({ auth: "bearer", anonymous: true });
  const { registry } = setting;
  const { digest } = registry.addBlob(REPOSITORY, Buffer.from("x"));
  registry.addBlob("other/app", Buffer.from("x"));
  await readWhole(await setting.client({ credentials: GOOD }).send(blobCall(digest)), 10);
  await readWhole(await setting.client().send(blobCall(digest)), 10);
  const wrong = setting.client({ credentials: { ...GOOD, password: "wrong" } });
  await failsWith(t, wrong.send(blobCall(digest)), "origin_refused", 401);
  const other = await setting.client().send({ path: `/v2/other/app/blobs/${digest}`, repository: "other/app", signal });
  t.is((await readWhole(other, 10)).toString(), "x");
  t.deepEqual([...registry.tokens.values()], ["repository:team/app:pull", "repository:team/app:pull", "repository:other/app:pull"]);
});

test("RegistryClient.send() answers Basic challenges, and hands a refusal on", async (t) => {
  await using setting = await start({ auth: "basic" });
  const { digest } = setting.registry.addBlob(REPOSITORY, Buffer.from("x"));
  const client = setting.client({ credentials: GOOD });
  t.is((await client.send(blobCall(digest))).status, 200);
  t.is((await client.send(blobCall(digest))).status, 200);
  t.is(setting.registry.requests.filter(({ status }) => status === 401).length, 1);
  const refused = await setting.client().send(blobCall(digest));
  t.is(refused.status, 401);
  t.is(refused.headers["www-authenticate"], 'Basic realm="scripted"');
});

test("RegistryClient.send() follows redirects to another host without the authorization", async (t) => {
  await using setting = await start({ auth: "bearer", redirectBlobs: true });
  const { registry } = setting;
  const { digest } = registry.addBlob(REPOSITORY, Buffer.from("content"));
  const response = await setting.client({ credentials: GOOD }).send({ ...blobCall(digest), headers: { range: "bytes=3-", cookie: "c" } });
  t.is(response.status, 206);
  t.is((await readWhole(response, 100)).toString(), "tent");
  const [seen] = registry.storeRequests;
  t.is(seen.headers.authorization, undefined);
  t.is(seen.headers.cookie, undefined);
  t.is(seen.headers.range, "bytes=3-");
});

test("RegistryClient.manifest() verifies the digest, bounds the length, and says what the registry said", async (t) => {
  await using setting = await start();
  const { registry } = setting;
  const { digest } = registry.addImage({ repository: REPOSITORY, tag: "v1", layers: [] });
  const client = setting.client();
  const manifest = (reference: string) => client.manifest({ repository: REPOSITORY, reference, signal });
  t.is((await manifest("v1")).digest, digest);
  t.is((await manifest(digest)).mediaType, "application/vnd.oci.image.manifest.v1+json");
  registry.behaviour.contentDigestHeader = false;
  t.is((await manifest("v1")).digest, digest);
  const stored = registry.manifests.get(`${REPOSITORY}/v1`);
  registry.manifests.set(`${REPOSITORY}/${digest}`, { bytes: Buffer.from("{}"), mediaType: stored?.mediaType ?? "" });
  await failsWith(t, manifest(digest), "digest_mismatch");
  registry.addManifest(REPOSITORY, Buffer.alloc(4 * 1024 * 1024 + 1, " "), "x/y", "large");
  await failsWith(t, manifest("large"), "origin_failed");
  await failsWith(t, manifest("absent"), "origin_not_found", 404);
  registry.behaviour.fail.set(`/v2/${REPOSITORY}/manifests/v1`, 429);
  await failsWith(t, manifest("v1"), "origin_failed", 429);
  registry.behaviour.fail.set(`/v2/${REPOSITORY}/manifests/v1`, 403);
  await failsWith(t, manifest("v1"), "origin_refused", 403);
});

test("RegistryClient.authorizeBlob() tells what a seeder needs", async (t) => {
  await using setting = await start({ auth: "bearer", redirectBlobs: true });
  const { registry } = setting;
  const { digest } = registry.addBlob(REPOSITORY, Buffer.from("x"));
  const blob = { repository: REPOSITORY, digest, signal };
  const given = await setting.client({ credentials: GOOD }).authorizeBlob(blob);
  t.true(registry.tokens.has(String(given).replace("Bearer ", "")));
  t.is(registry.storeRequests.length, 0);
  t.is(await setting.client({ authorization: "Bearer fixed" }).authorizeBlob(blob), "Bearer fixed");
  await failsWith(t, setting.client().authorizeBlob(blob), "origin_refused", 401);
  registry.behaviour.auth = "none";
  t.is(await setting.client({ credentials: GOOD }).authorizeBlob(blob), undefined);
  await failsWith(t, setting.client().authorizeBlob({ ...blob, digest: digestOf(Buffer.from("absent")) }), "origin_not_found", 404);
});

test("listImageBlobs() goes through an index: all platforms or the chosen ones", async (t) => {
  await using setting = await start();
  const { registry } = setting;
  const shared = Buffer.from("shared layer");
  const amd = registry.addImage({ repository: REPOSITORY, tag: "amd", layers: [shared, Buffer.from("amd")] });
  const arm = registry.addImage({ repository: REPOSITORY, tag: "arm", layers: [shared, Buffer.from("arm")] });
  const index = registry.addIndex(REPOSITORY, "v1", { "linux/amd64": amd, "linux/arm64/v8": arm });
  const question = { repository: REPOSITORY, reference: "v1", signal };
  const all = await listImageBlobs(setting.client(), question);
  t.is(all.digest, index);
  t.deepEqual(new Set(all.blobs.map(({ digest }) => digest)), new Set([...amd.blobs, ...arm.blobs]));
  t.is(all.blobs.length, 5);
  const one = await listImageBlobs(setting.client(), { ...question, platforms: [parsePlatformName("linux/arm64")] });
  t.deepEqual(
    one.blobs.map(({ digest }) => digest),
    arm.blobs,
  );
  const error = await t.throwsAsync(listImageBlobs(setting.client(), { ...question, platforms: [parsePlatformName("linux/s390x")] }));
  t.is((error as unknown as { hint: string }).hint, "It is there for linux/amd64, linux/arm64.");
});

test("listImageBlobs() ends with indexes that name themselves or nest too deep", async (t) => {
  await using setting = await start();
  const { registry } = setting;
  let entry = registry.addImage({ repository: REPOSITORY, tag: "base", layers: [] }) as { digest: string; size: number; mediaType: string };
  for (let depth = 0; depth < 5; depth++) {
    const digest = registry.addIndex(REPOSITORY, `d${depth}`, { "linux/amd64": entry });
    entry = { digest, size: 1, mediaType: "application/vnd.oci.image.index.v1+json" };
  }
  t.is((await listImageBlobs(setting.client(), { repository: REPOSITORY, reference: "d2", signal })).blobs.length, 1);
  await failsWith(t, listImageBlobs(setting.client(), { repository: REPOSITORY, reference: "d4", signal }), "origin_failed");
});

test("RegistryClient.send() ends when its caller leaves, also while a token is on its way", async (t) => {
  await using setting = await start({ auth: "bearer", realm: "http://127.0.0.1:1/token" });
  const { digest } = setting.registry.addBlob(REPOSITORY, Buffer.from("x"));
  await failsWith(t, setting.client().send(blobCall(digest)), "origin_unreachable");
  const leaving = AbortSignal.abort(new Error("left"));
  await t.throwsAsync(setting.client().send({ ...blobCall(digest), signal: leaving }), { message: "left" });
});
