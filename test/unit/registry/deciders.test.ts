/** What is decided about names, challenges, tokens, manifests and credentials, without a registry. */
import test from "ava";
import fc from "fast-check";
import { blobTaskRequest } from "../../../registry/blob-task.ts";
import { chooseChallenge, parseChallenges } from "../../../registry/challenge.ts";
import { credentialsKey, parseBasic } from "../../../registry/credentials.ts";
import { digestOf, hasDigest, isDigest } from "../../../registry/digest.ts";
import { parseDockerConfig } from "../../../registry/docker-config.ts";
import { parseBlobUrl, parseImageReference, parseManifestUrl } from "../../../registry/image-reference.ts";
import { isPlatform, parseManifest, parsePlatformName, platformName } from "../../../registry/manifest.ts";
import { parseTokenAnswer, tokenQuestion } from "../../../registry/token-request.ts";
import { refuses } from "../torrents/refuses.ts";

const HUB = "https://registry-1.docker.io";
const DIGEST = `sha256:${"a".repeat(64)}`;

test("parseImageReference() follows docker's rules", (t) => {
  const expected: Record<string, [string, string, string]> = {
    alpine: [HUB, "library/alpine", "latest"],
    "alpine:3.20": [HUB, "library/alpine", "3.20"],
    "docker.io/alpine": [HUB, "library/alpine", "latest"],
    "docker://index.docker.io/alpine": [HUB, "library/alpine", "latest"],
    "owner/name:v1": [HUB, "owner/name", "v1"],
    "ghcr.io/a/b/c:1": ["https://ghcr.io", "a/b/c", "1"],
    "ghcr.io/single": ["https://ghcr.io", "single", "latest"],
    "localhost/a": ["http://localhost", "a", "latest"],
    "localhost:5000/a:b": ["http://localhost:5000", "a", "b"],
    "127.0.0.1:5000/x/y": ["http://127.0.0.1:5000", "x/y", "latest"],
    "https://127.0.0.1:5000/x": ["https://127.0.0.1:5000", "x", "latest"],
    "http://registry.example:8080/x": ["http://registry.example:8080", "x", "latest"],
    "[::1]:5000/x": ["http://[::1]:5000", "x", "latest"],
    "host:443/a": ["https://host", "a", "latest"],
    [`alpine@${DIGEST}`]: [HUB, "library/alpine", DIGEST],
    [`ghcr.io/a/b:tag@${DIGEST}`]: ["https://ghcr.io", "a/b", DIGEST],
  };
  for (const [text, [base, repository, reference]] of Object.entries(expected))
    t.deepEqual(parseImageReference(text), { base, repository, reference }, text);
  t.is(parseImageReference("registry.example/x", { insecure: true }).base, "http://registry.example");
});

test("parseImageReference() refuses what docker refuses", (t) => {
  for (const bad of [
    "",
    "Alpine",
    "a//b",
    "a:",
    "a:b c",
    "a@sha256:short",
    `a@${DIGEST}@${DIGEST}`,
    "-a",
    "a/../b",
    "host/a:b/c",
    "a".repeat(2000),
  ])
    refuses(t, () => parseImageReference(bad), "bad_request");
});

test("parseManifestUrl() and parseBlobUrl() read the URLs of the registry API, and no others", (t) => {
  t.deepEqual(parseManifestUrl("https://h:8/v2/a/b/manifests/v1"), { base: "https://h:8", repository: "a/b", reference: "v1" });
  t.deepEqual(parseBlobUrl(`http://h/v2/a/blobs/${DIGEST}?x=1`), { base: "http://h", repository: "a", reference: DIGEST });
  for (const bad of [
    "https://h/v2/a/tags/list",
    "ftp://h/v2/a/manifests/v1",
    "https://h/v2/A/manifests/v1",
    "https://h/a/manifests/v1",
    "x",
  ])
    t.is(parseManifestUrl(bad), undefined, bad);
  t.is(parseBlobUrl("https://h/v2/a/blobs/latest"), undefined);
});

test("parseChallenges() reads quoted, plain and several challenges", (t) => {
  const header = 'Bearer realm="https://a/t?x=1,2",service="s \\"q\\"",scope="repository:a/b:pull,push", Basic realm=plain';
  t.like(parseChallenges(header), [
    { scheme: "bearer", parameters: { realm: "https://a/t?x=1,2", service: 's "q"', scope: "repository:a/b:pull,push" } },
    { scheme: "basic", parameters: { realm: "plain" } },
  ]);
  t.is(chooseChallenge(parseChallenges('Basic realm="x", Bearer realm="y"'))?.scheme, "bearer");
  t.is(chooseChallenge(parseChallenges("Bearer scope=x"))?.scheme, undefined);
  t.deepEqual(parseChallenges(undefined), []);
});

test("parseChallenges() answers for any text, and soon", (t) => {
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => Array.isArray(parseChallenges(text))));
  t.true(parseChallenges(`Bearer ${'a="\\'.repeat(5000)}`).length <= 100);
});

const challenge = { scheme: "bearer", parameters: { realm: "https://auth.example/token?x=1", service: "svc" } };
const alice = { kind: "password", username: "alice", password: "p:w" } as const;

test("tokenQuestion() asks with service, scope and credentials", (t) => {
  const { url, headers } = tokenQuestion({ base: HUB, challenge, scope: "repository:a:pull repository:b:pull", credentials: alice });
  const { searchParams, host } = new URL(url);
  t.is(host, "auth.example");
  t.deepEqual(
    [...searchParams],
    [
      ["x", "1"],
      ["service", "svc"],
      ["scope", "repository:a:pull"],
      ["scope", "repository:b:pull"],
      ["account", "alice"],
    ],
  );
  t.deepEqual(parseBasic(headers.authorization), alice);
  t.deepEqual(tokenQuestion({ base: HUB, challenge, scope: "s", credentials: undefined }).headers, {});
});

test("tokenQuestion() resolves a relative realm, posts identity tokens, and sends no credentials in the clear", (t) => {
  const relative = { scheme: "bearer", parameters: { realm: "/service/token" } };
  t.is(
    tokenQuestion({ base: "https://harbor:8443", challenge: relative, scope: "", credentials: undefined }).url,
    "https://harbor:8443/service/token",
  );
  const posted = tokenQuestion({ base: HUB, challenge, scope: "s", credentials: { kind: "identity", username: "u", token: "r" } });
  t.is(new URLSearchParams(posted.body).get("refresh_token"), "r");
  const plain = { scheme: "bearer", parameters: { realm: "http://auth.example/token" } };
  refuses(t, () => tokenQuestion({ base: HUB, challenge: plain, scope: "s", credentials: alice }), "origin_refused");
  t.is(tokenQuestion({ base: HUB, challenge: plain, scope: "", credentials: undefined }).url, "http://auth.example/token");
  const odd = { scheme: "bearer", parameters: { realm: "file:///etc/passwd" } };
  refuses(t, () => tokenQuestion({ base: HUB, challenge: odd, scope: "s", credentials: undefined }), "origin_refused");
});

test("parseTokenAnswer() takes token or access_token, and 60 s where no life is told", (t) => {
  // a tenth less, at most 30 s: 300 s − 30 s; 60 s − 6 s
  t.deepEqual(parseTokenAnswer({ token: "t", expires_in: 300 }, 1000), { token: "t", expiresAtMs: 271_000 });
  t.deepEqual(parseTokenAnswer({ access_token: "a" }, 0), { token: "a", expiresAtMs: 54_000 });
  t.deepEqual(parseTokenAnswer({ token: "", access_token: "a", expires_in: "soon" }, 0), { token: "a", expiresAtMs: 54_000 });
  for (const bad of [undefined, {}, { token: 5 }, { token: "line\nbreak" }, []])
    refuses(t, () => parseTokenAnswer(bad, 0), "origin_failed");
});

test("parseBasic() and credentialsKey() tell callers apart", (t) => {
  t.is(parseBasic("Bearer x"), undefined);
  t.is(parseBasic("Basic !!!"), undefined);
  t.not(credentialsKey(alice), credentialsKey({ ...alice, password: "other" }));
  t.false(credentialsKey(alice).includes("p:w"));
});

test("hasDigest() knows sha256 and sha512, and nothing else", (t) => {
  const bytes = Buffer.from("x");
  t.true(hasDigest(bytes, digestOf(bytes)));
  t.true(hasDigest(bytes, digestOf(bytes, "sha512")));
  t.false(hasDigest(Buffer.from("y"), digestOf(bytes)));
  t.false(isDigest("md5:d41d8cd98f00b204e9800998ecf8427e"));
});

const layer = (letter: string, mediaType = "application/vnd.oci.image.layer.v1.tar+gzip") => ({
  mediaType,
  size: 10,
  digest: `sha256:${letter.repeat(64)}`,
});

test("parseManifest() lists configuration and layers once, without foreign ones", (t) => {
  const layers = [
    layer("a"),
    layer("a"),
    layer("b", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
    layer("c", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
  ];
  const manifest = parseManifest(Buffer.from(JSON.stringify({ config: layer("d"), layers })));
  t.deepEqual(manifest.kind === "image" && manifest.blobs.map(({ digest }) => digest.at(-1)), ["d", "a"]);
});

test("parseManifest() refuses what is malformed or too long", (t) => {
  const many = Array.from({ length: 1001 }, () => layer("a"));
  for (const bad of [
    "",
    "[]",
    "{}",
    '{"fsLayers":[]}',
    JSON.stringify({ layers: many }),
    '{"layers":[{"digest":"sha256:x","size":1}]}',
    '{"layers":[{}]}',
  ])
    refuses(t, () => parseManifest(Buffer.from(bad)), "origin_failed");
});

test("platforms: other names of machines, variants", (t) => {
  t.is(platformName(parsePlatformName("Linux/x86_64")), "linux/amd64");
  t.is(platformName(parsePlatformName("linux/aarch64/v8")), "linux/arm64");
  const v7 = parsePlatformName("linux/arm/v7");
  t.true(isPlatform(v7, parsePlatformName("linux/arm")));
  t.false(isPlatform(v7, parsePlatformName("linux/arm/v6")));
  for (const bad of ["", "linux", "a/b/c/d", "../x"]) refuses(t, () => parsePlatformName(bad), "bad_request");
});

test("parseDockerConfig() finds credentials by the base of the API", (t) => {
  const auth = Buffer.from("bob:se:cret").toString("base64");
  const text = JSON.stringify({
    auths: {
      "https://index.docker.io/v1/": { auth },
      "ghcr.io": { username: "u", password: "p" },
      "127.0.0.1:5000": { auth },
      "acr.example": { auth: Buffer.from("guid:").toString("base64"), identitytoken: "refresh" },
      "empty.example": {},
    },
  });
  const store = parseDockerConfig(text);
  t.deepEqual(store.get(HUB), { kind: "password", username: "bob", password: "se:cret" });
  t.deepEqual(store.get("https://ghcr.io"), { kind: "password", username: "u", password: "p" });
  t.truthy(store.get("http://127.0.0.1:5000"));
  t.deepEqual(store.get("https://acr.example"), { kind: "identity", username: "guid", token: "refresh" });
  t.is(store.size, 4);
  refuses(t, () => parseDockerConfig("{}"), "bad_request");
});

test("blobTaskRequest() carries the authorization only where there is one", (t) => {
  const blob = { base: HUB, repository: "a/b", digest: DIGEST };
  t.deepEqual(blobTaskRequest(blob), { url: `${HUB}/v2/a/b/blobs/${DIGEST}`, headers: {}, digest: DIGEST });
  t.deepEqual(blobTaskRequest({ ...blob, authorization: "Bearer x" }).headers, { authorization: "Bearer x" });
});
