/**
 * Every kind of source, through a host daemon alone and through a seeder and its swarm: real processes, servers that speak
 * the real protocols.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import test from "ava";
import { makeCertificate } from "../support/certificates.ts";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { lastJson, place, startSource } from "../support/origin-place.ts";
import { ProxyServer } from "../support/proxy-server.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;

test("dfget reads file://, s3:// and hdfs:// where no supernode answers", async (t) => {
  await using sources = await startSource(seededBytes(21, 5 * MIB + 17));
  await using at = await place(sources.flags, sources.env);
  for (const url of sources.urls) {
    const done = lastJson(await at.dfget(url, "-o", "out"));
    t.like(done, { status: "ok", bytes: 5 * MIB + 17, from: { origin: 5 * MIB + 17, cache: 0 } }, JSON.stringify(done));
    t.is(await sha256Of(at.path("out")), sources.sha256, url);
    t.like(lastJson(await at.dfget(url, "-o", "again")), { status: "ok", from: { origin: 0, cache: 5 * MIB + 17 } });
  }
});

test("a swarm spreads what its seeder reads from file://, s3:// and hdfs://", async (t) => {
  await using sources = await startSource(seededBytes(22, 5 * MIB));
  await using cluster = await Cluster.start({ daemons: 2, supernodeArgs: ["--no-seeder"] });
  await using _seeder = await sources.startSeeder(cluster);
  for (const url of sources.urls) {
    const outcomes = await Promise.all(["h0", "h1"].map((home) => cluster.dfget(home, url, ["--notbs"])));
    for (const [index, outcome] of outcomes.entries()) {
      t.like(outcome, { status: "ok", from: { origin: 0 } }, JSON.stringify(outcome));
      t.is(await sha256Of(cluster.output(`h${index}`)), sources.sha256, url);
    }
  }
});

test("what is outside the allowed folders and buckets is refused, with what to do", async (t) => {
  await using sources = await startSource(seededBytes(23, 1000));
  await using at = await place([...sources.flags, "--s3-bucket", "others"], sources.env);
  const secret = join(at.folder, "secret");
  await writeFile(secret, "secret");
  for (const url of [pathToFileURL(secret).href, "file:///etc/passwd", sources.urls[1]]) {
    const result = await at.dfget(url, "-o", "out");
    t.is(result.exitCode, 11, url);
    t.regex(String(lastJson(result).hint), /--file-root|--s3-bucket/);
  }
  const unknown = await at.dfget("ftp://host/file", "-o", "out");
  t.is(unknown.exitCode, 2);
  t.is(lastJson(unknown).code, "unsupported_scheme");
});

test("a file that is replaced is another download, never the old one", async (t) => {
  await using at = await place(["--file-root", "."]);
  await mkdir(join(at.folder, "root"));
  const path = join(at.folder, "root", "f.bin");
  const url = pathToFileURL(path).href;
  for (const seed of [24, 25]) {
    await writeFile(path, seededBytes(seed, MIB));
    t.like(lastJson(await at.dfget(url, "-o", "out")), { status: "ok", from: { origin: MIB, cache: 0 } });
    t.is(await sha256Of(at.path("out")), await sha256Of(path));
  }
});

test("an https origin behind a proxy, trusted by --origin-ca", async (t) => {
  await using tls = await makeCertificate();
  await using proxy = await ProxyServer.start();
  await using server = await ScriptedOrigin.start({ tls });
  const { url, sha256 } = server.add("/f.bin", seededBytes(26, 3 * MIB));
  await using at = await place(["--origin-ca", tls.caFile], { https_proxy: `http://127.0.0.1:${proxy.port}` });
  t.like(lastJson(await at.dfget(url, "-o", "out")), { status: "ok", from: { origin: 3 * MIB } });
  t.is(await sha256Of(at.path("out")), sha256);
  t.true(proxy.requests.length > 0 && proxy.requests.every((text) => text === `CONNECT ${new URL(url).host}`));
  await using distrusting = await place([]);
  const result = await distrusting.dfget(url, "-o", "out");
  t.is(result.exitCode, 10);
  t.regex(String(lastJson(result).hint), /--origin-ca/);
});
