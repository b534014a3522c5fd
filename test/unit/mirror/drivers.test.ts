/** Sessions, stores, authority and watch of the mirror, with contents that are no real ones. */
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readdir, stat, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect, createServer } from "node:tls";
import test from "ava";
import { BlobSessions } from "../../../mirror/blob-sessions.ts";
import { ManifestStore } from "../../../mirror/manifest-store.ts";
import { authorityPaths } from "../../../mirror/proxy/authority-paths.ts";
import { CertificateAuthority, initAuthority } from "../../../mirror/proxy/certificate-authority.ts";
import { StallWatch } from "../../../mirror/stall-watch.ts";
import type { Content } from "../../../peer/daemon/open-content.ts";
import { digestOf } from "../../../registry/digest.ts";
import { SkimmerError } from "../../../system/errors.ts";
import { silentLogger } from "../../../system/logger.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { until } from "../../support/processes.ts";

class FakeContent {
  complete = false;
  disposed = 0;

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed++;
  }

  get asContent(): Content {
    return this as unknown as Content;
  }
}

const NEVER = new AbortController().signal;

function makeSessions(lingerMs: number): { sessions: BlobSessions; clock: { ms: number } } {
  const clock = { ms: 0 };
  return { sessions: new BlobSessions({ clock: { nowMs: () => clock.ms }, logger: silentLogger, lingerMs }), clock };
}

test("BlobSessions.open(): readers of one key share an opening; the last one's leaving is not the end at once", async (t) => {
  const { sessions } = makeSessions(30);
  const content = new FakeContent();
  let openings = 0;
  const open = async (): Promise<Content> => {
    openings++;
    return content.asContent;
  };
  const leases = await Promise.all([1, 2, 3].map(() => sessions.open("k", open, NEVER)));
  t.is(openings, 1);
  for (const lease of leases) lease[Symbol.dispose]();
  t.is(content.disposed, 0);
  const again = await sessions.open("k", open, NEVER);
  t.is(openings, 1);
  again[Symbol.dispose]();
  await until(() => content.disposed === 1);
  await sessions[Symbol.asyncDispose]();
  t.is(content.disposed, 1);
});

test("BlobSessions: after a minute the registry is asked again; earlier readers go on", async (t) => {
  const { sessions, clock } = makeSessions(60_000);
  const contents = [new FakeContent(), new FakeContent()];
  let openings = 0;
  const open = async (): Promise<Content> => contents[openings++].asContent;
  const early = await sessions.open("k", open, NEVER);
  clock.ms = 60_000;
  t.is(sessions.peek("k"), undefined);
  const late = await sessions.open("k", open, NEVER);
  t.is(openings, 2);
  t.is(contents[0].disposed, 0);
  early[Symbol.dispose]();
  await until(() => contents[0].disposed === 1);
  late[Symbol.dispose]();
  await sessions[Symbol.asyncDispose]();
  t.is(contents[1].disposed, 1);
});

test("BlobSessions: a reader that leaves while it opens leaves the rest alone; a failed opening is not kept", async (t) => {
  const { sessions } = makeSessions(60_000);
  const content = new FakeContent();
  const { promise, resolve } = Promise.withResolvers<Content>();
  const leaving = new AbortController();
  const left = sessions.open("k", () => promise, leaving.signal);
  const stays = sessions.open("k", () => promise, NEVER);
  leaving.abort(new SkimmerError("cancelled", "gone"));
  await t.throwsAsync(left, { instanceOf: SkimmerError });
  resolve(content.asContent);
  t.is((await stays).content, content.asContent);
  await t.throwsAsync(sessions.open("bad", () => Promise.reject(new SkimmerError("origin_refused", "no")), NEVER));
  const good = await sessions.open("bad", async () => content.asContent, NEVER);
  t.truthy(good.content);
  await sessions[Symbol.asyncDispose]();
});

test("ManifestStore keeps what has its digest, over restarts; damage counts as absent", async (t) => {
  await using folder = await temporaryFolder();
  const store = await ManifestStore.open(folder.path);
  const bytes = Buffer.from('{"schemaVersion":2}');
  const manifest = { bytes, digest: digestOf(bytes), mediaType: "application/x" };
  const place = { base: "https://r", repository: "a" };
  await store.put(place, manifest);
  const name = { ...place, reference: "v1", accept: "x" };
  await store.putTag(name, { digest: manifest.digest, seenAtMs: 5, open: true });
  const again = await ManifestStore.open(folder.path);
  const own = { ...place, digest: manifest.digest };
  t.deepEqual(await again.get(own), manifest);
  // another repository, and another registry, have nothing by it
  t.is(await again.get({ ...own, repository: "b" }), undefined);
  t.is(await again.get({ ...own, base: "https://s" }), undefined);
  t.deepEqual(await again.tag(name), { digest: manifest.digest, seenAtMs: 5, open: true });
  t.is(await again.tag({ ...name, accept: "y" }), undefined);
  t.is(await again.tag({ ...name, base: "https://s" }), undefined);
  const [file] = await readdir(join(folder.path, "contents"));
  const path = join(folder.path, "contents", file);
  t.is((await stat(path)).mode & 0o777, 0o600);
  await writeFile(path, JSON.stringify({ mediaType: "application/x", content: Buffer.from("other").toString("base64") }));
  t.is(await (await ManifestStore.open(folder.path)).get(own), undefined);
  await writeFile(path, "{");
  t.is(await (await ManifestStore.open(folder.path)).get(own), undefined);
});

test("CertificateAuthority: clients that trust it accept its hosts, names and addresses alike", async (t) => {
  await using folder = await temporaryFolder();
  const paths = authorityPaths(folder.path);
  await initAuthority(paths, { replace: false, nowMs: Date.now() });
  t.is((await stat(paths.key)).mode & 0o777, 0o600);
  await t.throwsAsync(initAuthority(paths, { replace: false, nowMs: Date.now() }), { instanceOf: SkimmerError });
  let nowMs = Date.now();
  const authority = await CertificateAuthority.open(paths, () => nowMs);
  const ca = await import("node:fs/promises").then(({ readFile }) => readFile(paths.certificate, "utf8"));
  t.true(new X509Certificate(ca).ca);
  for (const host of ["registry.corp", "127.0.0.1", "::1"]) {
    const secureContext = await authority.contextFor(host);
    t.is(await authority.contextFor(host.toUpperCase()), secureContext);
    const server = createServer({ SNICallback: (_name, done) => done(null, secureContext) });
    server.setSecureContext({});
    server.on("tlsClientError", () => undefined);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    // by name through SNI; addresses have none, and are checked below
    if (host === "registry.corp") {
      const socket = connect({ port, host: "127.0.0.1", servername: host, ca });
      await once(socket, "secureConnect");
      t.true(socket.authorized);
      const { subjectaltname } = socket.getPeerCertificate();
      t.is(subjectaltname, "DNS:registry.corp");
      socket.destroy();
    }
    server.close();
  }
  const first = await authority.contextFor("registry.corp");
  nowMs += 29 * 86_400_000;
  t.not(await authority.contextFor("registry.corp"), first);
  await t.throwsAsync(
    CertificateAuthority.open(authorityPaths(join(folder.path, "none")), () => nowMs),
    { instanceOf: SkimmerError },
  );
});

test("StallWatch: the source's silence counts, the reader's does not", async (t) => {
  using quiet = new StallWatch({ firstMs: 10, laterMs: 1000 });
  await until(() => quiet.signal.aborted);
  t.is((quiet.signal.reason as SkimmerError).code, "no_progress");
  using slowReader = new StallWatch({ firstMs: 1000, laterMs: 20 });
  const resume = slowReader.pause();
  const began = performance.now();
  await until(() => performance.now() - began > 60);
  t.false(slowReader.signal.aborted);
  resume();
  await until(() => slowReader.signal.aborted);
  t.pass();
});
