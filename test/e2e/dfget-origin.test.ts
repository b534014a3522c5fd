/**
 * dfget and its daemon with nothing else running: real processes, a scripted origin, no supernode.
 */
import { chmod, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { MIB, NO_SUPERNODE, place, sha256, startDaemon } from "../support/dfget-place.ts";
import { daemonPid, lastJson, runCommand, startCommand, stopDaemonOf, until } from "../support/processes.ts";
import { seededBytes } from "../support/scripted-origin.ts";

test("64 MiB come from the origin once, and the second time from the store", async (t) => {
  await using at = await place();
  const { url, sha256: expected } = at.origin.add("/file", seededBytes(1, 64 * MIB));
  const first = lastJson(await at.dfget(url, "-o", "one"));
  t.like(first, { status: "ok", output: at.path("one"), bytes: 64 * MIB, from: { origin: 64 * MIB, seeder: 0, peers: 0, cache: 0 } });
  t.is(await sha256(at.path("one")), expected);
  const sent = at.origin.bytesSent;
  t.true(sent <= 64 * MIB * 1.02, `${sent} bytes left the origin`);
  const second = lastJson(await at.dfget(url, "-o", "two"));
  t.like(second, { status: "ok", from: { origin: 0, seeder: 0, peers: 0, cache: 64 * MIB } });
  t.is(second.infoHash, first.infoHash);
  t.is(await sha256(at.path("two")), expected);
  t.true(at.origin.bytesSent - sent <= 1024, "the second download read the content again");
});

test("many dfgets at once start one daemon and share one download", async (t) => {
  await using at = await place();
  const { url, sha256: expected } = at.origin.add("/file", seededBytes(2, 8 * MIB));
  const results = await Promise.all(Array.from({ length: 12 }, (_, index) => at.dfget(url, "-o", `out${index}`)));
  for (const [index, result] of results.entries()) {
    t.is(lastJson(result).status, "ok");
    t.is(await sha256(at.path(`out${index}`)), expected);
  }
  t.true(at.origin.bytesSent <= 8 * MIB * 1.02, `${at.origin.bytesSent} bytes left the origin`);
  const log = await readFile(join(at.home, "dfdaemon.log"), "utf8");
  t.is(log.split('"ready":"dfdaemon"').length - 1, 1);
});

test("a daemon that is killed in the middle loses nothing that was verified", async (t) => {
  await using at = await place({ bytesPerSecond: 16 * MIB });
  const { url, sha256: expected } = at.origin.add("/file", seededBytes(3, 24 * MIB));
  const download = at.begin(url, "-o", "out");
  await until(() => at.origin.bytesSent > 12 * MIB);
  process.kill((await daemonPid(at.home)) as number, "SIGKILL");
  const result = await download.result;
  const done = lastJson(result);
  t.is(done.status, "ok");
  t.true(result.stdout.includes("went away"));
  t.true(done.from.cache > 0, JSON.stringify(done.from));
  t.is(await sha256(at.path("out")), expected);
  // What was in flight and in the sockets' buffers when the daemon died is read twice.
  t.true(at.origin.bytesSent < 40 * MIB, `${at.origin.bytesSent} bytes left the origin`);
});

test("Ctrl-C leaves no output, says how to go on, and the next dfget goes on", async (t) => {
  await using at = await place({ bytesPerSecond: 16 * MIB });
  const { url, sha256: expected } = at.origin.add("/file", seededBytes(4, 16 * MIB));
  const download = at.begin(url, "-o", "out");
  await until(() => at.origin.bytesSent > 6 * MIB);
  download.signal("SIGINT");
  const cancelled = await download.result;
  t.is(cancelled.exitCode, 130);
  t.like(lastJson(cancelled), { status: "error", code: "cancelled" });
  t.deepEqual((await readdir(at.folder)).sort(), ["home"]);
  const done = lastJson(await at.dfget(url, "-o", "out"));
  t.true(done.from.cache > 0, JSON.stringify(done.from));
  t.is(await sha256(at.path("out")), expected);
});

test("a changed file is never served old; an unchanged one is resumed by its validators", async (t) => {
  await using at = await place();
  const { url } = at.origin.add("/file", seededBytes(5, 3 * MIB));
  await at.dfget(url, "-o", "old");
  const { sha256: expected } = at.origin.add("/file", seededBytes(6, 3 * MIB));
  t.like(lastJson(await at.dfget(url, "-o", "new")), { status: "ok", from: { origin: 3 * MIB, cache: 0 } });
  t.is(await sha256(at.path("new")), expected);
});

test("the origin's refusals come through as they are, and nothing is left", async (t) => {
  await using at = await place();
  const cases = [
    { status: 404, code: "origin_not_found", exitCode: 12 },
    { status: 403, code: "origin_refused", exitCode: 11 },
    { status: 500, code: "origin_failed", exitCode: 13 },
  ];
  for (const { status, code, exitCode } of cases) {
    const { url } = at.origin.add(`/${status}`, Buffer.alloc(10), { status });
    const result = await at.dfget(url, "-o", "out");
    t.is(result.exitCode, exitCode);
    t.like(lastJson(result), { status: "error", code });
  }
  const unresolvable = await at.dfget("http://does-not-exist.invalid/f", "-o", "out");
  t.is(unresolvable.exitCode, 10);
  t.is(lastJson(unresolvable).code, "origin_unreachable");
  t.deepEqual(await readdir(at.folder), ["home"]);
});

test("a wrong digest leaves nothing at the output and nothing in the store", async (t) => {
  await using at = await place();
  const { url, sha256: right } = at.origin.add("/file", seededBytes(7, 2 * MIB));
  await writeFile(at.path("out"), "what was there");
  const wrong = await at.dfget(url, "-o", "out", "--digest", `sha256:${"0".repeat(64)}`);
  t.is(wrong.exitCode, 20);
  t.is(lastJson(wrong).code, "digest_mismatch");
  t.is(await readFile(at.path("out"), "utf8"), "what was there");
  t.deepEqual(await readdir(join(at.home, "tasks")), []);
  t.is(lastJson(await at.dfget(url, "-o", "out", "--md5", "0".repeat(32))).code, "digest_mismatch");
  t.is(lastJson(await at.dfget(url, "-o", "out", "--digest", `sha256:${right}`)).status, "ok");
  t.is(await sha256(at.path("out")), right);
});

test("empty files, one byte, unknown lengths, no ranges, no validators", async (t) => {
  await using at = await place();
  const content = seededBytes(8, 1.5 * MIB);
  const cases: [string, Buffer, object][] = [
    ["/empty", Buffer.alloc(0), {}],
    ["/one", Buffer.from("x"), {}],
    ["/chunked", content, { chunked: true }],
    ["/no-ranges", content, { noRanges: true }],
    ["/no-validators", content, { etag: undefined }],
  ];
  for (const [path, bytes, behaviour] of cases) {
    const { url, sha256: expected } = at.origin.add(path, bytes, behaviour);
    for (const output of ["out", "again"]) {
      const done = lastJson(await at.dfget(url, "-o", output));
      t.like(done, { status: "ok", bytes: bytes.length }, path);
      t.is(await sha256(at.path(output)), expected, path);
    }
  }
});

test("an origin that breaks off is resumed; one that lies about its length is an error and leaves nothing", async (t) => {
  await using at = await place();
  const breaking = at.origin.add("/breaking", seededBytes(9, 4 * MIB), { breakAfterBytes: 300_000, breakTimes: 4 });
  t.is(lastJson(await at.dfget(breaking.url, "-o", "out")).status, "ok");
  t.is(await sha256(at.path("out")), breaking.sha256);
  const lying = at.origin.add("/lying", seededBytes(10, MIB), {
    claimLength: 2 * MIB,
    noRanges: true,
    breakAfterBytes: MIB - 1,
    etag: undefined,
  });
  const result = await at.dfget(lying.url, "-o", "lie");
  t.is(lastJson(result).status, "error");
  t.deepEqual((await readdir(at.folder)).sort(), ["home", "out"]);
});

test("outputs that cannot be written are refused before anything is downloaded", async (t) => {
  await using at = await place();
  const { url } = at.origin.add("/file", seededBytes(11, MIB));
  for (const output of [at.folder, at.path("no/such/folder/out")]) {
    const result = await at.dfget(url, "-o", output);
    t.is(result.exitCode, 21);
    t.is(lastJson(result).code, "output_unwritable");
  }
  t.is(at.origin.requests.length, 0);
});

test("bad arguments end with 2 and start no daemon", async (t) => {
  await using at = await place();
  for (const args of [["ftp://h/f"], ["nonsense"], ["http://h/f", "--limit", "fast"], ["http://h/f", "--header", "x"], []]) {
    t.is((await at.dfget(...args)).exitCode, 2, args.join(" "));
  }
  t.is(await stat(at.home).catch(() => undefined), undefined);
});

test("--notbs without a supernode is a clear error", async (t) => {
  await using at = await place();
  const { url } = at.origin.add("/file", seededBytes(12, MIB));
  const result = await at.dfget(url, "-o", "out", "--notbs");
  t.is(result.exitCode, 30);
  t.is(lastJson(result).code, "no_supernode");
  t.is(at.origin.requests.length, 0);
});

test("--limit and --timeout hold", async (t) => {
  await using at = await place();
  const { url } = at.origin.add("/file", seededBytes(13, 3 * MIB));
  const limited = lastJson(await at.dfget(url, "-o", "out", "--limit", "2MiB"));
  // 3 MiB at 2 MiB/s are 1.5 s; buckets may begin with a fifth of a second's worth.
  t.true((limited.seconds as number) > 1.2, `${limited.seconds} s`);
  const late = await at.dfget(at.origin.add("/other", seededBytes(14, 3 * MIB)).url, "-o", "late", "--limit", "100kB", "--timeout", "1");
  t.is(late.exitCode, 34);
  t.is(lastJson(late).code, "timeout");
});

test("an output that its user edits in place is theirs: the store gives it up and fetches anew", async (t) => {
  await using at = await place();
  const { url, sha256: expected } = at.origin.add("/file", seededBytes(15, 12 * MIB));
  const { infoHash } = lastJson(await at.dfget(url, "-o", "mine"));
  await chmod(at.path("mine"), 0o644);
  await using file = await open(at.path("mine"), "r+");
  await file.write(Buffer.from("edited"), 0, 6, 5 * MIB);
  const { nlink } = await file.stat();
  const again = lastJson(await at.dfget(url, "-o", "fresh"));
  t.is(again.infoHash, infoHash);
  t.is(await sha256(at.path("fresh")), expected);
  t.is(again.from.origin, nlink > 1 ? 12 * MIB : 0);
  t.is((await readFile(at.path("mine"))).toString("latin1", 5 * MIB, 5 * MIB + 6), "edited");
});

test("dfdaemon says when it is ready, holds its home alone, and stops cleanly", async (t) => {
  await using at = await place();
  await using daemon = await startDaemon(at);
  t.is(daemon.ready.ready, "dfdaemon");
  t.is(daemon.ready.home, at.home);
  t.regex(daemon.ready.peer, /^127\.0\.0\.1:\d+$/);
  t.is((await stat(daemon.ready.socket)).mode & 0o777, 0o600);
  await t.throwsAsync(startDaemon(at), { message: /ended with 41/ });
  t.is(await daemon.stop(), 0);
  t.deepEqual((await readdir(at.home)).sort(), ["local-key.pem", "tasks"]);
});

test("a given peer port that is taken is an error; the default one gives way", async (t) => {
  await using at = await place();
  await using other = await place();
  await using daemon = await startDaemon(at);
  const { peer } = daemon.ready;
  await t.throwsAsync(startCommand({ command: "dfdaemon", args: ["--home", other.home, "--peer-listen", peer] }), {
    message: /ended with 40/,
  });
});

test("an idle daemon leaves", async (t) => {
  await using at = await place();
  await using daemon = await startDaemon(at, "--idle-exit", "200ms");
  await until(() =>
    stat(daemon.ready.socket).then(
      () => false,
      () => true,
    ),
  );
  t.is(await daemon.stop(), 0);
});

test("a home whose path is too long for a socket works all the same", async (t) => {
  await using at = await place();
  const { url } = at.origin.add("/file", Buffer.from("content"));
  const home = join(at.folder, "x".repeat(120));
  const done = await runCommand({
    command: "dfget",
    args: [url, "-o", at.path("out"), "--home", home, "--supernode", NO_SUPERNODE, "--json"],
  });
  t.is(lastJson(done).status, "ok");
  t.is(await readFile(at.path("out"), "utf8"), "content");
  await stopDaemonOf(home);
});
