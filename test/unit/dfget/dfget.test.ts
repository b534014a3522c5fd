/** dfget's deciders: command line, output name, what a person reads. */
import test from "ava";
import { DFGET_COMMAND, readDfgetSettings } from "../../../peer/dfget/dfget-command.ts";
import { outputName } from "../../../peer/dfget/output-name.ts";
import { doneLine, printable, progressLine } from "../../../peer/dfget/progress-text.ts";
import { type ParsedCommand, parseCommand } from "../../../system/options.ts";

const PLACE = { folder: "/cwd", umask: 0o022 };

async function settings(...args: string[]) {
  const command = await parseCommand(DFGET_COMMAND, ["--config", "/dev/null", ...args]);
  return readDfgetSettings(command as ParsedCommand, PLACE);
}

test("dfget takes a URL and fills in the rest", async (t) => {
  const read = await settings("http://h/dir/f%20g.bin?q=1", "--home", "/h");
  t.is(read.output, "/cwd/f g.bin");
  t.is(read.paths.socket, "/h/dfdaemon.sock");
  t.false(read.socketGiven);
  t.like(read.body, { url: "http://h/dir/f%20g.bin?q=1", mode: 0o644, headers: {}, limit: 0, notbs: false, supernodes: undefined });
});

test("dfget hands every option on", async (t) => {
  const digest = `sha256:${"ab".repeat(32)}`;
  const read = await settings(
    "-u",
    "http://h/f",
    "-o",
    "out",
    "--header",
    "A: 1",
    "--header",
    "B: 2",
    "--digest",
    digest,
    "--limit",
    "20M",
    "--notbs",
    "--timeout",
    "3",
    "--json",
    "--supernode",
    "one,two:9",
    "--supernode",
    "https://three",
    "--tag",
    "t",
    "--filter",
    "a&b",
    "--range",
    "0-9",
  );
  t.is(read.output, "/cwd/out");
  t.is(read.timeoutMs, 3_000);
  t.true(read.json);
  t.false(read.progress);
  t.like(read.body, {
    headers: { a: "1", b: "2" },
    digest,
    limit: 20_000_000,
    notbs: true,
    tag: "t",
    filter: ["a", "b"],
    range: "0-9",
    supernodes: ["http://one:8002", "http://two:9", "https://three"],
  });
});

test("dfget refuses before anything starts", async (t) => {
  const lines = [
    [],
    ["http://h/a", "http://h/b"],
    ["nonsense"],
    ["http://h/a", "--limit", "5x"],
    ["http://h/a", "--header", "x"],
    ["http://h/a", "--digest", "x"],
    ["http://h/a", "--md5", "x"],
    ["http://h/a", "--timeout", "x"],
    ["http://h/a", "--unknown"],
    ["http://h/a", "--range", "9-1"],
  ];
  for (const line of lines) await t.throwsAsync(settings(...line), { code: "bad_request" }, line.join(" "));
  await t.throwsAsync(settings("ftp://h/a"), { code: "unsupported_scheme" });
});

test("outputName() is the last part of the path, made harmless", (t) => {
  t.is(outputName("http://h/a/b.tar.gz?x#y"), "b.tar.gz");
  t.is(outputName("http://h/"), "index.html");
  t.is(outputName("http://h/a/"), "a");
  t.is(outputName("http://h/%2e%2e%2fetc%2fpasswd"), ".._etc_passwd");
  t.is(outputName("http://h/%E0%A4%A"), "%E0%A4%A");
});

test("progressLine() fits the terminal", (t) => {
  const progress = {
    event: "progress",
    bytes: 50e6,
    total: 200e6,
    rate: 50e6,
    peers: 3,
    from: { origin: 0, seeder: 10e6, peers: 40e6, cache: 0 },
  } as const;
  const line = progressLine(progress, 120);
  t.true(line.length <= 120);
  for (const part of ["25 %", "50.0 MB of 200 MB", "50.0 MB/s", "3.0 s left", "3 peers", "80 % from peers", "[==="])
    t.true(line.includes(part), part);
  for (const columns of [10, 40, 79, 200]) t.true(progressLine(progress, columns).length <= columns);
  t.true(progressLine({ ...progress, total: null }, 100).startsWith("50.0 MB  50.0 MB/s"));
  t.true(progressLine({ ...progress, bytes: 0, total: 0, rate: 0 }, 100).includes("100 %"));
});

test("doneLine() says what, how fast, and where from", (t) => {
  const done = {
    status: "ok",
    output: "/o",
    bytes: 10e6,
    seconds: 2,
    infoHash: null,
    from: { origin: 4e6, seeder: 0, peers: 6e6, cache: 0 },
    reason: "no peer",
  } as const;
  t.is(doneLine(done), "/o: 10.0 MB in 2.0 s, 5.0 MB/s; from peers 6.0 MB, origin 4.0 MB (no peer)");
  t.is(doneLine({ ...done, bytes: 0, from: { origin: 0, seeder: 0, peers: 0, cache: 0 }, reason: undefined }), "/o: 0 B in 2.0 s");
});

test("printable() keeps the terminal from obeying strangers", (t) => {
  t.is(printable("a\u001b[2Jb\rc\u009b"), "a?[2Jb?c?");
});
