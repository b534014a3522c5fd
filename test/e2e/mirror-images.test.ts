/**
 * Whole images through the mirror of a real daemon: layers that come next are opened ahead, and what one repository gave is no other's.
 */
import { randomBytes } from "node:crypto";
import test from "ava";
import { accessRows, copiesSent, pull, startMirrorPlace } from "../support/mirror-place.ts";
import { until } from "../support/processes.ts";

const MIB = 1024 * 1024;
const ACCEPT = { accept: "application/vnd.oci.image.manifest.v1+json" };

test("layers are opened ahead of their reader with his credentials: those above, never those below, each once", async (t) => {
  await using place = await startMirrorPlace({ auth: "bearer" });
  const { registry } = place;
  registry.tokens.set("right", "repository:team/app:pull");
  const layers = [4, 3, 2, 1].map((mib) => randomBytes(mib * MIB));
  const { blobs } = registry.addImage({ repository: "team/app", tag: "v1", layers });
  const [, base, second, third, top] = blobs;
  const daemon = await place.start("h0");
  const url = `${daemon.ready.mirror}/v2/team/app`;
  const headers = { ...ACCEPT, authorization: "Bearer right" };
  t.is((await pull(`${url}/manifests/v1`, headers)).status, 200);
  const asked = (digest: string): boolean => registry.requests.some(({ path, status }) => path.includes(digest) && status < 300);
  t.true((await pull(`${url}/blobs/${second}`, headers)).body.equals(layers[1]));
  await until(() => asked(third) && asked(top));
  t.false(asked(base));
  const seen = registry.requests.filter(({ path }) => path.includes("/blobs/"));
  t.true(seen.every(({ headers: { authorization } }) => authorization === "Bearer right"));
  // the reader joins what was opened for him, and it counts as his
  for (const [digest, bytes] of [
    [third, layers[2]],
    [top, layers[3]],
  ] as const) {
    const answer = await pull(`${url}/blobs/${digest}`, headers);
    t.true(answer.body.equals(bytes));
    const sent = copiesSent(registry, digest, bytes.length);
    t.true(sent < 1.05, `${sent} copies`);
  }
  const row = accessRows(daemon.stderr()).find(({ path }) => path.includes(third));
  t.is(row?.from?.seeder, layers[2].length);
  // a stranger gains nothing by what was opened
  t.is((await pull(`${url}/blobs/${top}`)).status, 401);
});

test("a lazy reader's ranges and a configuration open nothing ahead", async (t) => {
  await using place = await startMirrorPlace();
  const { registry } = place;
  const layers = [2, 1].map((mib) => randomBytes(mib * MIB));
  const { blobs } = registry.addImage({ repository: "team/app", tag: "v1", layers });
  const [config, first, second] = blobs;
  const { ready } = await place.start("h0");
  await pull(`${ready.mirror}/v2/team/app/manifests/v1`, ACCEPT);
  t.is((await pull(`${ready.mirror}/v2/team/app/blobs/${config}`)).status, 200);
  t.is((await pull(`${ready.mirror}/v2/team/app/blobs/${first}`, { range: "bytes=100-199" })).status, 206);
  // what would be opened is opened before the answer ends
  t.false(registry.requests.some(({ path }) => path.includes(second)));
});

test("what a private repository gave is not to be had by digest through a public one, registry up or down", async (t) => {
  await using place = await startMirrorPlace({ auth: "bearer", anonymous: true });
  const { registry } = place;
  registry.tokens.set("right", "repository:team/secret:pull repository:team/open:pull");
  registry.tokens.set("open", "repository:team/open:pull");
  const secret = registry.addImage({ repository: "team/secret", tag: "v1", layers: [randomBytes(2 * MIB)] });
  const open = registry.addImage({ repository: "team/open", tag: "v1", layers: [randomBytes(MIB)] });
  const { ready } = await place.start("h0");
  const at = (repository: string, rest: string): string => `${ready.mirror}/v2/team/${repository}/${rest}`;
  const owner = { ...ACCEPT, authorization: "Bearer right" };
  const stranger = { ...ACCEPT, authorization: "Bearer open" };
  t.is((await pull(at("secret", "manifests/v1"), owner)).status, 200);
  for (const digest of secret.blobs) t.is((await pull(at("secret", `blobs/${digest}`), owner)).status, 200);
  t.is((await pull(at("open", "manifests/v1"), stranger)).status, 200);
  for (const digest of open.blobs) t.is((await pull(at("open", `blobs/${digest}`), stranger)).status, 200);
  const refused = async (): Promise<void> => {
    for (const repository of ["secret", "open"]) {
      t.not((await pull(at(repository, `manifests/${secret.digest}`), stranger)).status, 200, repository);
      for (const digest of secret.blobs) t.not((await pull(at(repository, `blobs/${digest}`), stranger)).status, 200, repository);
    }
  };
  await refused();
  const failing = [...registry.blobs.keys()].map((path) => `/v2/${path.replace(/\/([^/]+)$/, "/blobs/$1")}`);
  const manifests = [...registry.manifests.keys()].map((path) => `/v2/${path.replace(/\/([^/]+)$/, "/manifests/$1")}`);
  const crossed = [`/v2/team/open/manifests/${secret.digest}`, ...secret.blobs.map((digest) => `/v2/team/open/blobs/${digest}`)];
  for (const path of [...failing, ...manifests, ...crossed]) registry.behaviour.fail.set(path, 503);
  await refused();
  // and those who may still get what they may
  for (const [repository, image, headers] of [
    ["secret", secret, owner],
    ["open", open, stranger],
  ] as const) {
    t.is((await pull(at(repository, `manifests/${image.digest}`), headers)).status, 200);
    for (const digest of image.blobs.slice(1)) t.is((await pull(at(repository, `blobs/${digest}`), headers)).status, 200, repository);
  }
});
