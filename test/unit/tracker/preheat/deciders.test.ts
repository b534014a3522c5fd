/** Bodies of the preheat APIs and webhooks, and how jobs look from outside. */
import test from "ava";
import { parsePreheat, parsePreheatV1, parsePreheatV2 } from "../../../../tracker/preheat/parse-preheat.ts";
import { parseHarborEvent, parseRegistryNotification, parseRegistryUrl } from "../../../../tracker/preheat/parse-webhook.ts";
import { describeJob, describeJobV1, describeJobV2, finish, isOpen, type PreheatJob } from "../../../../tracker/preheat/preheat-job.ts";
import { refuses } from "../../torrents/refuses.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const HUB = "https://registry-1.docker.io";

test("parsePreheat() tells images from files", (t) => {
  t.deepEqual(parsePreheat({ image: "alpine", platforms: ["linux/x86_64"], username: "u", password: "p" }), {
    kind: "image",
    target: { base: HUB, repository: "library/alpine", reference: "latest" },
    platforms: ["linux/amd64"],
    headers: {},
    credentials: { kind: "password", username: "u", password: "p" },
  });
  const byUrl = parsePreheat({ url: "https://r.example/v2/a/b/manifests/v1", platforms: "all" });
  t.like(byUrl, { kind: "image", target: { base: "https://r.example", repository: "a/b", reference: "v1" }, platforms: undefined });
  t.like(parsePreheat({ url: "https://h/f", headers: { "X-A": "1" }, filter: ["sig"] }), {
    kind: "file",
    request: { url: "https://h/f", headers: { "x-a": "1" }, filter: ["sig"] },
  });
  t.is(parsePreheat({ image: "r.example/x", insecure: true }).kind, "image");
});

test("parsePreheat() gives a registry's blob its digest, as the mirror does", (t) => {
  const spec = parsePreheat({ url: `https://r.example/v2/a/blobs/${DIGEST}` });
  t.is(spec.kind === "file" && spec.request.digest, DIGEST);
});

test("parsePreheat() refuses what is neither or both, and bad fields", (t) => {
  for (const bad of [
    {},
    { url: "https://h/f", image: "a" },
    [],
    "x",
    { image: "A B" },
    { image: "a", platforms: ["x"] },
    { image: "a", headers: { a: 1 } },
    { url: 5 },
  ])
    refuses(t, () => parsePreheat(bad), "bad_request");
  refuses(t, () => parsePreheat({ url: "gopher://h/f" }), "unsupported_scheme");
});

test("parsePreheatV1() reads what Dragonfly 1.0's callers and Harbor send", (t) => {
  const harbor = {
    type: "image",
    url: "https://harbor.example/v2/library/app/manifests/v1",
    headers: { Authorization: "Bearer t", odd: 5 },
    image: "library/app",
    tag: "v1",
    digest: DIGEST,
    scope: "single_peer",
    extra_attrs: {},
  };
  t.deepEqual(parsePreheatV1(harbor), {
    kind: "image",
    target: { base: "https://harbor.example", repository: "library/app", reference: "v1" },
    platforms: undefined,
    headers: { authorization: "Bearer t" },
    credentials: undefined,
  });
  t.like(parsePreheatV1({ type: "file", url: "https://h/f?a=1", filter: "a&b" }), { kind: "file", request: { filter: ["a", "b"] } });
  refuses(t, () => parsePreheatV1({ type: "chart", url: "https://h/f" }), "bad_request");
  refuses(t, () => parsePreheatV1({ type: "image" }), "bad_request");
});

test("parsePreheatV2() reads what later Harbors send", (t) => {
  const args = {
    type: "image",
    url: "https://harbor.example/v2/a/manifests/v1",
    tag: "",
    filtered_query_params: "",
    headers: { Authorization: "Basic dTpw" },
    scope: "",
    concurrent_count: 0,
    timeout: 0,
  };
  t.like(parsePreheatV2({ type: "preheat", args, scheduler_cluster_ids: null }), {
    kind: "image",
    headers: { authorization: "Basic dTpw" },
  });
  t.like(parsePreheatV2({ type: "preheat", args: { ...args, platform: "linux/arm64" } }), { platforms: ["linux/arm64"] });
  t.like(parsePreheatV2({ type: "preheat", args: { type: "file", url: "https://h/f", filteredQueryParams: "x" } }), {
    request: { filter: ["x"] },
  });
  refuses(t, () => parsePreheatV2({ type: "sync_peers", args }), "bad_request");
});

const notification = (more: object, action = "push") => ({
  events: [
    { id: "1", action, target: { repository: "team/app", digest: DIGEST, url: `http://registry:5000/v2/team/app/x/${DIGEST}`, ...more } },
  ],
});

test("parseRegistryNotification() reads pushed manifests and layers, and passes over the rest", (t) => {
  const target = { base: "http://registry:5000", repository: "team/app", reference: DIGEST };
  const manifest = notification({ mediaType: "application/vnd.docker.distribution.manifest.v2+json" });
  t.deepEqual(parseRegistryNotification(manifest, undefined), [{ kind: "manifest", target }]);
  const index = notification({ mediaType: "application/vnd.oci.image.index.v1+json" });
  t.is(parseRegistryNotification(index, undefined)[0].kind, "manifest");
  const blob = notification({ mediaType: "application/octet-stream" }, "mount");
  t.deepEqual(parseRegistryNotification(blob, "https://r.example"), [{ kind: "blob", target: { ...target, base: "https://r.example" } }]);
  t.deepEqual(parseRegistryNotification(notification({}, "pull"), undefined), []);
  for (const bad of [
    {},
    { events: {} },
    { events: [1] },
    notification({ digest: "latest/../x" }),
    notification({ repository: "../x" }),
    notification({ url: "file:///etc/passwd" }),
  ])
    refuses(t, () => parseRegistryNotification(bad, undefined), "bad_request");
});

const resources = [{ digest: DIGEST, tag: "v1", resource_url: "harbor.example:8443/library/app:v1" }];
const repository = { name: "app", namespace: "library", repo_full_name: "library/app", repo_type: "private" };

test("parseHarborEvent() reads both formats of a push, and passes over the rest", (t) => {
  const pushed = [
    { kind: "manifest", target: { base: "https://harbor.example:8443", repository: "library/app", reference: DIGEST } },
  ] as const;
  t.deepEqual(parseHarborEvent({ type: "PUSH_ARTIFACT", event_data: { resources, repository } }, undefined), [...pushed]);
  t.deepEqual(parseHarborEvent({ specversion: "1.0", type: "harbor.artifact.pushed", data: { resources, repository } }, undefined), [
    ...pushed,
  ]);
  t.is(
    parseHarborEvent({ type: "PUSH_ARTIFACT", event_data: { resources, repository } }, "http://10.0.0.1")[0].target.base,
    "http://10.0.0.1",
  );
  t.deepEqual(parseHarborEvent({ type: "DELETE_ARTIFACT", event_data: {} }, undefined), []);
  refuses(t, () => parseHarborEvent({ type: "PUSH_ARTIFACT" }, undefined), "bad_request");
  t.is(parseRegistryUrl("https://h.example/c/"), "https://h.example");
  refuses(t, () => parseRegistryUrl("h.example"), "bad_request");
});

function makeJob(): PreheatJob {
  const spec = { kind: "file", request: { url: "https://u:secret@h/f?sig=secret", headers: { authorization: "Bearer secret" } } } as const;
  const files = { total: 1, done: 0, failed: 0 };
  return { id: "42", spec, state: "waiting", private: true, createdAtMs: 0, files, lengthBytes: 0 };
}

test("describeJob*() show the states of each API, and no secret", (t) => {
  const job = makeJob();
  const states = (): unknown[] => [
    (describeJob(job) as { state: string }).state,
    (describeJobV1(job) as { status: string }).status,
    (describeJobV2(job) as { state: string }).state,
  ];
  t.deepEqual(states(), ["waiting", "WAITING", "PENDING"]);
  job.state = "running";
  t.deepEqual(states(), ["running", "RUNNING", "PENDING"]);
  for (const shown of [describeJob(job), describeJobV1(job), describeJobV2(job)]) t.false(JSON.stringify(shown).includes("secret"));
  finish(job, { state: "failed", nowMs: 1000, error: new Error("no luck") });
  t.deepEqual(states(), ["failed", "FAILED", "FAILURE"]);
  t.like(describeJobV1(job), { ID: "42", errorMsg: "no luck", finishTime: "1970-01-01T00:00:01.000Z" });
  t.like(describeJobV2(job), { id: 42, result: { job_states: [{ error: "no luck" }] } });
});

test("finish() takes the secrets out of the record", (t) => {
  const job = makeJob();
  t.true(isOpen(job));
  finish(job, { state: "success", nowMs: 5 });
  t.false(isOpen(job));
  t.false(JSON.stringify(job).includes("secret"));
});
