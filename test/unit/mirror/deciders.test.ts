/** What the mirror decides: ranges, routes, digests, rules, configuration, acceptance. */

import test from "ava";
import fc from "fast-check";
import { Acceptances } from "../../../mirror/acceptances.ts";
import { answerRange } from "../../../mirror/byte-range.ts";
import { DigestGate } from "../../../mirror/digest-gate.ts";
import { parseRegistryUrl, readMirrorConfig, rewriteRepository } from "../../../mirror/mirror-config.ts";
import { formatShares, forwardedHeaders, returnedHeaders, sharesSince } from "../../../mirror/mirror-headers.ts";
import { decideProxy, isIntercepted, parseProxyConfig } from "../../../mirror/proxy/proxy-rules.ts";
import { type RouteTable, registryName, routeRequest } from "../../../mirror/route-request.ts";
import { digestOf } from "../../../registry/digest.ts";
import { SkimmerError } from "../../../system/errors.ts";

const ETAG = '"sha256:x"';
const range = (text: string | undefined, lengthBytes = 100, ifRange?: string) =>
  answerRange({ range: text, ifRange, etag: ETAG, lengthBytes });

test("answerRange() reads single ranges, and answers everything to what it does not read", (t) => {
  t.deepEqual(range("bytes=0-9"), { kind: "span", firstByte: 0, lastByte: 9, open: false });
  t.deepEqual(range("bytes=90-"), { kind: "span", firstByte: 90, lastByte: 99, open: true });
  t.deepEqual(range("bytes=-10"), { kind: "span", firstByte: 90, lastByte: 99, open: false });
  t.deepEqual(range("bytes=-1000"), { kind: "span", firstByte: 0, lastByte: 99, open: false });
  t.deepEqual(range("bytes=99-500"), { kind: "span", firstByte: 99, lastByte: 99, open: false });
  t.deepEqual(range("Bytes = 1 - 2"), { kind: "span", firstByte: 1, lastByte: 2, open: false });
  for (const text of [undefined, "", "bytes=", "bytes=-", "bytes=9-1", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "bytes=1e3-"])
    t.deepEqual(range(text), { kind: "all" }, text);
  for (const text of ["bytes=100-", "bytes=100-200", "bytes=-0"]) t.deepEqual(range(text), { kind: "unsatisfiable" }, text);
  for (const text of ["bytes=0-", "bytes=-5"]) t.deepEqual(range(text, 0), { kind: "all" }, text);
  t.deepEqual(range("bytes=0-1", 100, ETAG), { kind: "span", firstByte: 0, lastByte: 1, open: false });
  for (const other of ['"other"', `W/${ETAG}`, "Sat, 21 Nov 2026 09:00:00 GMT"])
    t.deepEqual(range("bytes=0-1", 100, other), { kind: "all" });
});

test("answerRange() never leaves the content, whatever a stranger writes", (t) => {
  fc.assert(
    fc.property(fc.string(), fc.nat(1000), fc.option(fc.nat(2000)), fc.option(fc.nat(2000)), (junk, lengthBytes, first, last) => {
      for (const text of [junk, `bytes=${first ?? ""}-${last ?? ""}`]) {
        const answer = range(text, lengthBytes);
        if (answer.kind === "span" && !(answer.firstByte >= 0 && answer.firstByte <= answer.lastByte && answer.lastByte < lengthBytes))
          return false;
      }
      return true;
    }),
  );
  t.pass();
});

const DIGEST = `sha256:${"a".repeat(64)}`;
const TABLE: RouteTable = { names: new Set(["docker.io", "ghcr.io", "127.0.0.1:5000"]), defaultName: "docker.io", others: true };
const route = (url: string, options: { host?: string; method?: string; table?: Partial<RouteTable> } = {}) =>
  routeRequest({ method: options.method ?? "GET", url, host: options.host }, { ...TABLE, ...options.table });

test("routeRequest() tells kinds apart and applies docker.io's library rule", (t) => {
  t.like(route("/v2/"), { kind: "ping", registry: "docker.io" });
  t.like(route("/v2"), { kind: "ping" });
  t.like(route("/v2/alpine/manifests/3.20"), {
    kind: "manifest",
    repository: "library/alpine",
    reference: "3.20",
    path: "/v2/library/alpine/manifests/3.20",
  });
  t.like(route(`/v2/a/b/c/blobs/${DIGEST}`), { kind: "blob", repository: "a/b/c", reference: DIGEST });
  t.like(route(`/v2/a/b/blobs/${DIGEST.replace(":", "%3A")}`), { kind: "blob", reference: DIGEST });
  t.like(route(`/v2/a/b/blobs/${DIGEST}`, { method: "DELETE" }), { kind: "other" });
  t.like(route("/v2/a/b/blobs/uploads/"), { kind: "other" });
  t.like(route("/v2/a/tags/list?n=5"), { kind: "other", path: "/v2/library/a/tags/list?n=5" });
  t.like(route("/v2/A/manifests/x"), { kind: "other" });
  t.like(route("/token?scope=x"), { kind: "other", path: "/token?scope=x" });
  t.like(route(`/v2/manifests/manifests/blobs/${DIGEST}`), { kind: "blob", repository: "manifests/manifests" });
});

test("routeRequest() finds the registry by ns, path, Host, default, in this order", (t) => {
  t.like(route("/v2/a/b/manifests/v1?ns=ghcr.io"), { registry: "ghcr.io", path: "/v2/a/b/manifests/v1" });
  t.like(route("/v2/a/manifests/v1?ns=index.docker.io&x=1"), { registry: "docker.io", path: "/v2/library/a/manifests/v1?x=1" });
  t.like(route("/v2/ghcr.io/a/b/manifests/v1"), {
    registry: "ghcr.io",
    repository: "a/b",
    prefix: "ghcr.io",
    path: "/v2/a/b/manifests/v1",
  });
  t.like(route("/v2/quay.io/a/manifests/v1"), { registry: "quay.io", repository: "a" });
  t.like(route("/v2/127.0.0.1%3A5000/a/manifests/v1"), { registry: "127.0.0.1:5000", repository: "a" });
  t.like(route("/v2/docker.io/alpine/manifests/v1"), { registry: "docker.io", repository: "library/alpine" });
  t.like(route("/v2/quay.io/"), { kind: "ping", registry: "quay.io" });
  t.like(route("/v2/a/b/manifests/v1", { host: "GHCR.io" }), { registry: "ghcr.io" });
  t.like(route("/v2/a/b/manifests/v1", { host: "127.0.0.1:65001" }), { registry: "docker.io" });
  t.like(route("/v2/ghcr.io/a/b/manifests/v1?ns=ghcr.io"), { registry: "ghcr.io", repository: "a/b" });
  // a registry of one's own may have such repositories
  const own = { defaultName: "harbor.corp", names: new Set(["harbor.corp"]) };
  t.like(route("/v2/my.team/app/manifests/v1", { table: own }), { registry: "harbor.corp", repository: "my.team/app" });
  t.like(route("/v2/docker.io/library/a/manifests/v1", { table: own }), { registry: "docker.io", repository: "library/a" });
});

test("routeRequest() refuses what it cannot read and registries that are not allowed", (t) => {
  t.is(route("/v2/a/manifests/v1?ns=evil.example", { table: { others: false } }).kind, "refused");
  t.is(route("/v2/a/manifests/v1?ns=a%20b/c").kind, "refused");
  t.is(route(`/v2/${"a".repeat(9000)}`).kind, "refused");
  t.like(route("/v2/quay.io/a/manifests/v1", { table: { others: false } }), { registry: "docker.io", repository: "quay.io/a" });
  t.like(route("/v2/../../etc/passwd"), { kind: "other", path: "/etc/passwd" });
  t.is(registryName("Registry-1.docker.io"), "docker.io");
});

test("DigestGate lets the last bytes out only when the whole is right", (t) => {
  const bytes = Buffer.from("hello world");
  const options = { digest: digestOf(bytes), lengthBytes: bytes.length, firstByte: 0, trusted: false };
  const good = new DigestGate(options);
  good.pass(bytes.subarray(0, 4));
  t.is(good.verified, undefined);
  good.pass(bytes.subarray(4));
  t.is(`sha256:${good.verified}`, options.digest);
  t.is(good.at, 11);
  const bad = new DigestGate(options);
  bad.pass(Buffer.from("hellO"));
  t.like(
    t.throws(() => bad.pass(bytes.subarray(5)), { instanceOf: SkimmerError }),
    { code: "digest_mismatch" },
  );
  const unknown = new DigestGate({ ...options, lengthBytes: Number.POSITIVE_INFINITY });
  unknown.pass(bytes.subarray(0, 5));
  t.throws(() => unknown.finish(), { instanceOf: SkimmerError });
  const later = new DigestGate({ ...options, firstByte: 5 });
  later.pass(bytes.subarray(5));
  later.finish();
  t.is(later.verified, undefined);
  const trusted = new DigestGate({ ...options, trusted: true });
  trusted.pass(Buffer.from("other bytes"));
  t.is(trusted.at, 11);
  const sha512 = new DigestGate({ ...options, digest: digestOf(bytes, "sha512") });
  sha512.pass(bytes);
  t.truthy(sha512.verified);
});

test("readMirrorConfig() knows registries, refuses unknown keys, and gives docker.io its name", (t) => {
  const file = {
    registries: {
      "ghcr.io": { username: "me", password: "x" },
      "harbor.corp:5000": { url: "http://10.0.0.1:5000", ca: "/ca.pem", insecure: true, rewrite: [{ from: "^hub/(.*)", to: "$1" }] },
      "registry-1.docker.io": null,
    },
    "other-registries": false,
  };
  const config = readMirrorConfig(file, parseRegistryUrl("https://registry-1.docker.io"));
  t.deepEqual([...config.registries.keys()], ["ghcr.io", "harbor.corp:5000", "docker.io"]);
  t.like(config, { defaultName: "docker.io", others: false });
  t.like(config.registries.get("harbor.corp:5000"), { base: "http://10.0.0.1:5000", insecure: true, caFile: "/ca.pem" });
  t.like(config.registries.get("docker.io"), { base: "https://registry-1.docker.io" });
  t.deepEqual(config.registries.get("ghcr.io")?.credentials, { kind: "password", username: "me", password: "x" });
  t.is(rewriteRepository("hub/library/a", config.registries.get("harbor.corp:5000")?.rewrites ?? []), "library/a");
  t.is(rewriteRepository("other", config.registries.get("harbor.corp:5000")?.rewrites ?? []), "other");
  const refused: unknown[] = [[], { registry: {} }, { registries: { "ghcr.io": { user: "x" } } }, { registries: { "a b": {} } }];
  refused.push({ registries: { "ghcr.io": { username: "x" } } }, { registries: { "ghcr.io": { rewrite: [{ from: "(", to: "" }] } } });
  refused.push({ "other-registries": "yes" }, { registries: { "ghcr.io": { insecure: 1 } } }, { proxy: { rules: [{ match: "(" }] } });
  for (const value of refused)
    t.throws(() => readMirrorConfig(value, parseRegistryUrl("docker.io")), { instanceOf: SkimmerError }, JSON.stringify(value));
});

test("decideProxy(): the first rule that fits; redirects keep path and query; https where it is asked for", (t) => {
  const { rules } = parseProxyConfig({
    rules: [
      { match: "blobs/sha256", action: "swarm" },
      { match: "^http://old\\.example", redirect: "new.example:8080", https: true },
      { match: "^https?://a\\.example/(.*)$", redirect: "http://b.example/x/$1", action: "swarm" },
      { match: "secret", action: "refuse" },
    ],
  });
  t.deepEqual(decideProxy("http://r/v2/a/blobs/sha256:1", rules), { action: { kind: "swarm" }, url: "http://r/v2/a/blobs/sha256:1" });
  t.deepEqual(decideProxy("http://old.example:81/p?q=1", rules), { action: { kind: "direct" }, url: "https://new.example:8080/p?q=1" });
  t.deepEqual(decideProxy("https://a.example/f?g", rules), { action: { kind: "swarm" }, url: "http://b.example/x/f?g" });
  t.like(decideProxy("http://x/secret", rules), { action: { kind: "refuse" } });
  t.deepEqual(decideProxy("http://x/", rules), { action: { kind: "direct" }, url: "http://x/" });
  // without rules: blobs of registries
  const standard = parseProxyConfig(undefined).rules;
  t.like(decideProxy(`https://r/v2/a/b/blobs/${DIGEST}`, standard), { action: { kind: "swarm" } });
  t.like(decideProxy("https://r/v2/a/b/blobs/uploads/1", standard), { action: { kind: "direct" } });
  t.throws(() => parseProxyConfig({ rules: [{ match: "x", action: "fly" }] }), { instanceOf: SkimmerError });
  t.throws(() => parseProxyConfig({ username: "x" }), { instanceOf: SkimmerError });
});

test("isIntercepted() goes by host and port, with * for one's own domains", (t) => {
  const config = parseProxyConfig({ intercept: ["registry.corp", "*.example.com", "10.0.0.1:5000"] });
  for (const target of ["registry.corp:443", "registry.corp:5000", "a.b.example.com:443", "10.0.0.1:5000"])
    t.true(isIntercepted(target, config), target);
  for (const target of ["xregistry.corp:443", "example.com:443", "10.0.0.1:443", "registry.corp.evil:443"])
    t.false(isIntercepted(target, config), target);
});

test("Acceptances: a caller is fresh for a minute, kept longer for bad times, and only he", (t) => {
  const accepted = new Acceptances();
  const who = { base: "https://r", repository: "a", caller: "1" };
  t.false(accepted.isFresh(who, 0));
  accepted.accept(who, 1000);
  t.true(accepted.isFresh(who, 60_999));
  t.false(accepted.isFresh(who, 61_000));
  t.true(accepted.wasWithin(who, 3_600_000, 61_000));
  for (const other of [
    { ...who, caller: "2" },
    { ...who, repository: "b" },
    { ...who, base: "https://s" },
  ])
    t.false(accepted.isFresh(other, 1001));
  accepted.refuse(who);
  t.false(accepted.wasWithin(who, 3_600_000, 1001));
});

test("headers: those of the connection go no further; shares sum to the answer's length", (t) => {
  const headers = {
    host: "m",
    connection: "close, x-own",
    "x-own": "1",
    te: "x",
    "proxy-authorization": "s",
    authorization: "a",
    accept: "b",
  };
  t.deepEqual(forwardedHeaders(headers), { authorization: "a", accept: "b" });
  t.deepEqual(returnedHeaders({ Connection: "close", "Transfer-Encoding": "chunked", "set-cookie": ["a", "b"] }), {
    "set-cookie": ["a", "b"],
  });
  const none = { cache: 0, peers: 0, seeder: 0, origin: 0 };
  const begin = { ...none, peers: 10, cache: 5 };
  t.deepEqual(sharesSince(begin, { ...begin, peers: 40, seeder: 10 }, 100), { cache: 60, peers: 30, seeder: 10, origin: 0 });
  t.deepEqual(sharesSince(begin, { ...begin, peers: 400 }, 100), { cache: 0, peers: 100, seeder: 0, origin: 0 });
  t.is(formatShares({ ...none, peers: 3 }), "cache=0, peers=3, seeder=0, origin=0");
});
