/**
 * What dfget offers to wget's users: several URLs, lists, standard output, events. Real processes, a scripted origin.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { access, readdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import test from "ava";
import { MIB, NO_SUPERNODE, type Place, place, sha256 } from "../support/dfget-place.ts";
import { daemonPid, lastJson, until } from "../support/processes.ts";
import { seededBytes } from "../support/scripted-origin.ts";

const DFGET = fileURLToPath(new URL("../../bin/dfget.js", import.meta.url));

/** dfget whose standard output the test reads itself. */
function streaming(at: Place, ...args: string[]) {
  const child = spawn(process.execPath, [DFGET, ...args, "--home", at.home, "--supernode", NO_SUPERNODE], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = once(child, "close").then(([code, signal]) => (code ?? signal) as number | string);
  return { child, ended, stderr: () => stderr };
}

test("several URLs, those of a list among them, each into its file; failures do not stop the others", async (t) => {
  await using at = await place();
  const urls = ["/a", "/b", "/c"].map((path, index) => at.origin.add(path, seededBytes(20 + index, MIB)));
  const missing = at.origin.add("/missing", Buffer.alloc(1), { status: 404 });
  await writeFile(at.path("list"), `# more\n${urls[2].url}\n${missing.url}\n`);
  const result = await at.dfget(urls[0].url, urls[1].url, "-i", "list", "-P", "into");
  t.is(result.exitCode, 12);
  t.deepEqual((await readdir(at.path("into"))).sort(), ["a", "b", "c"]);
  for (const [index, name] of ["a", "b", "c"].entries()) t.is(await sha256(at.path(`into/${name}`)), urls[index].sha256);
  t.like(lastJson(result), { event: "summary", status: "error", downloads: 4, failed: 1 });
  const events = result.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.like(
    events.find(({ url, event }) => url === missing.url && event === "error"),
    { code: "origin_not_found" },
  );
  t.is(events.filter(({ event }) => event === "done").length, 3);
  t.true(events.some(({ url, event, infoHash }) => url === urls[0].url && event === "start" && infoHash !== null));
});

test("-O - writes the content in order while it still comes, byte for byte", async (t) => {
  await using at = await place({ bytesPerSecond: 8 * MIB });
  const { url, sha256: expected } = at.origin.add("/file", seededBytes(30, 12 * MIB));
  const { child, ended, stderr } = streaming(at, url, "-O", "-");
  const hash = createHash("sha256");
  let sentAtFirstByte: number | undefined;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    sentAtFirstByte ??= at.origin.bytesSent;
    hash.update(chunk);
  }
  t.is(await ended, 0, stderr());
  t.is(hash.digest("hex"), expected);
  t.true((sentAtFirstByte as number) < 6 * MIB, `the first byte came after ${sentAtFirstByte} had left the origin`);
  t.regex(stderr(), /-: 12\.6 MB in .* from origin 12\.6 MB/);
  const again = streaming(at, url, "-o", "-", "--quiet");
  const chunks: Buffer[] = [];
  for await (const chunk of again.child.stdout as AsyncIterable<Buffer>) chunks.push(chunk);
  t.is(await again.ended, 0);
  t.is(createHash("sha256").update(Buffer.concat(chunks)).digest("hex"), expected);
  t.is(again.stderr(), "");
});

test("-O - takes small files, empty ones, unknown lengths, and checks digests", async (t) => {
  await using at = await place();
  const cases: [string, Buffer, object][] = [
    ["/empty", Buffer.alloc(0), {}],
    ["/small", Buffer.from("content"), {}],
    ["/chunked", seededBytes(31, MIB), { chunked: true }],
  ];
  for (const [path, bytes, behaviour] of cases) {
    const { url, sha256: expected } = at.origin.add(path, bytes, behaviour);
    for (const [digest, code] of [
      [expected, 0],
      ["0".repeat(64), 20],
    ] as const) {
      const { child, ended } = streaming(at, url, "-O", "-", "--digest", `sha256:${digest}`, "-q");
      const chunks: Buffer[] = [];
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) chunks.push(chunk);
      t.is(await ended, code, path);
      if (code === 0) t.true(Buffer.concat(chunks).equals(bytes), path);
    }
  }
});

test("a reader that closes standard output ends dfget quietly; one that is slow holds the stream up, not the daemon", async (t) => {
  await using at = await place();
  const { url } = at.origin.add("/file", seededBytes(32, 8 * MIB));
  const { child, ended, stderr } = streaming(at, url, "-O", "-");
  await once(child.stdout, "readable");
  // Not read any further: the pipe fills, and the daemon answers others all the same.
  t.is(lastJson(await at.dfget(url, "-o", "out")).status, "ok");
  child.stdout.destroy();
  t.is(await ended, 141);
  t.false(stderr().includes("Error"), stderr());
});

test("a stream goes on at its byte when the daemon is killed", async (t) => {
  await using at = await place({ bytesPerSecond: 8 * MIB });
  const { url, sha256: expected } = at.origin.add("/file", seededBytes(33, 16 * MIB));
  const { child, ended, stderr } = streaming(at, url, "-O", "-");
  const hash = createHash("sha256");
  let killed = false;
  let bytes = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    hash.update(chunk);
    if (killed || bytes < 4 * MIB) continue;
    killed = true;
    process.kill((await daemonPid(at.home)) as number, "SIGKILL");
  }
  t.is(await ended, 0, stderr());
  t.true(stderr().includes("went away"));
  t.is(hash.digest("hex"), expected);
});

test("--json tells events one a line; --quiet only errors; the final line names the reason", async (t) => {
  await using at = await place({ bytesPerSecond: 4 * MIB });
  const { url } = at.origin.add("/file", seededBytes(34, 4 * MIB));
  const result = await at.dfget(url, "-o", "out");
  const events = result.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.is(events[0].event, "start");
  t.true(events.some(({ event, total }) => event === "progress" && total === 4 * MIB));
  t.like(events.at(-1), { event: "done", status: "ok", url, reason: "no supernode answers" });
  const quiet = await at.plain([url, "-o", "quiet", "-q"]);
  t.deepEqual([quiet.exitCode, quiet.stdout, quiet.stderr], [0, "", ""]);
  const loud = await at.plain([url, "-o", "loud", "-v", "--minrate", "5k", "--console"]);
  t.regex(loud.stderr, /--minrate is accepted .* no effect/);
  t.regex(loud.stderr, /bytes by origin/);
  const source = await at.plain([at.origin.add("/b", seededBytes(35, MIB)).url, "-o", "b", "-p", "source"]);
  t.regex(source.stdout, /from origin 1\.0 MB \(as asked for\)/);
});

test("--no-clobber leaves what is there; --continue keeps it where it has the digest", async (t) => {
  await using at = await place();
  const { url, sha256: expected } = at.origin.add("/file", seededBytes(36, MIB));
  await writeFile(at.path("out"), "mine");
  t.like(lastJson(await at.dfget(url, "-o", "out", "--no-clobber")), { status: "ok", bytes: 4, reason: "it was there already" });
  t.is(await readFile(at.path("out"), "utf8"), "mine");
  t.is(at.origin.requests.length, 0);
  t.like(lastJson(await at.dfget(url, "-o", "out", "-c", "--digest", `sha256:${expected}`)), { status: "ok", bytes: MIB });
  const asked = at.origin.requests.length;
  t.like(lastJson(await at.dfget(url, "-o", "out", "-c", "--digest", `sha256:${expected}`)), { reason: "it was there already" });
  t.is(at.origin.requests.length, asked);
});

test("fifty dfgets at once start exactly one daemon", async (t) => {
  await using at = await place();
  const { url, sha256: expected } = at.origin.add("/file", seededBytes(37, MIB));
  const results = await Promise.all(Array.from({ length: 50 }, (_, index) => at.dfget(url, "-o", `out${index}`)));
  for (const [index, result] of results.entries()) {
    t.is(lastJson(result).status, "ok", result.stderr);
    t.is(await sha256(at.path(`out${index}`)), expected);
  }
  const log = await readFile(at.path("home/dfdaemon.log"), "utf8");
  t.is(log.split('"ready":"dfdaemon"').length - 1, 1);
  await until(() =>
    access(at.path("home/start.lock")).then(
      () => false,
      () => true,
    ),
  );
});
