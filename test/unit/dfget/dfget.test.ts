/** dfget's deciders: command line, output name, what a person reads. */
import test from "ava";
import { DFGET_COMMAND } from "../../../peer/dfget/dfget-command.ts";
import { readDfgetSettings } from "../../../peer/dfget/dfget-settings.ts";
import { EventStream, type StreamItem } from "../../../peer/dfget/event-stream.ts";
import { outputName } from "../../../peer/dfget/output-name.ts";
import { doneLine, printable, progressLine } from "../../../peer/dfget/progress-text.ts";
import { parseUrlList } from "../../../peer/dfget/url-list.ts";
import { type ParsedCommand, parseCommand } from "../../../system/options.ts";

const PLACE = { folder: "/cwd", umask: 0o022 };

async function settings(...args: string[]) {
  const command = await parseCommand(DFGET_COMMAND, ["--config", "/dev/null", ...args]);
  return readDfgetSettings(command as ParsedCommand, PLACE);
}

test("dfget takes a URL and fills in the rest", async (t) => {
  const read = await settings("http://h/dir/f%20g.bin?q=1", "--home", "/h");
  t.is(read.jobs[0].output, "/cwd/f g.bin");
  t.is(read.place.paths.socket, "/h/dfdaemon.sock");
  t.false(read.place.socketGiven);
  t.like(read.jobs[0].body, {
    url: "http://h/dir/f%20g.bin?q=1",
    mode: 0o644,
    headers: {},
    limit: 0,
    notbs: false,
    pattern: "p2p",
    priority: 3,
    supernodes: undefined,
    tag: undefined,
  });
  t.deepEqual(read.notes, []);
});

test("dfget hands every option on", async (t) => {
  const digest = `sha256:${"ab".repeat(32)}`;
  const words = `-u http://h/f -o out --header A:1 --header B:2 --digest ${digest} --limit 20M --notbs --timeout 3 --json
    --supernode one,two:9 --supernode https://three --tag t --filter a&b --range 0-9 --priority high --pattern cdn --piece-length 1MiB`;
  const read = await settings(...words.split(/\s+/));
  t.is(read.jobs[0].output, "/cwd/out");
  t.is(read.timeoutMs, 3_000);
  t.true(read.json);
  t.false(read.progress);
  t.like(read.jobs[0].body, {
    headers: { a: "1", b: "2" },
    digest,
    limit: 20_000_000,
    notbs: true,
    tag: "t",
    filter: ["a", "b"],
    range: "0-9",
    supernodes: ["http://one:8002", "http://two:9", "https://three"],
    priority: 0,
    pattern: "cdn",
    pieceLength: 1024 * 1024,
  });
});

test("dfget takes every flag of v1, each with its meaning", async (t) => {
  const words = `--url http://h/f --output out --md5 ${"ab".repeat(16)} --header A:1 --filter x --identifier id --node one:1=3,two --pattern p2p
    --locallimit 1M --totallimit 2M --minrate 1 --timeout 5 --notbs --callsystem c --dfdaemon --showbar --console --verbose
    --home /h --ip 10.0.0.1 --port 7 --expiretime 3m --alivetime 1m --clientqueue 6 --cacerts ca.pem --insecure`;
  const read = await settings(...words.split(/\s+/));
  t.like(read.jobs[0].body, {
    md5: "ab".repeat(16),
    headers: { a: "1" },
    filter: ["x"],
    tag: '["","","id"]',
    limit: 1_000_000,
    notbs: true,
    supernodes: ["http://one:1=3", "http://two:8002"],
  });
  t.is(read.totalLimit, 2_000_000);
  t.deepEqual(read.place.daemonArguments, [
    "--peer-listen",
    "10.0.0.1:7",
    "--origin-ca",
    "/cwd/ca.pem",
    "--origin-insecure",
    "--expire",
    "180000ms",
    "--idle-exit",
    "60000ms",
  ]);
  t.true(read.verbose);
  const said = ["minrate", "callsystem", "dfdaemon", "clientqueue", "console", "showbar"];
  for (const name of said) t.is(read.notes.filter((note) => note.startsWith(`--${name} `)).length, 1, name);
  t.is(read.notes.length, said.length);
});

test("labels of v1, v2 and ours keep downloads apart; a tag alone is just the tag", async (t) => {
  const tagOf = async (...args: string[]): Promise<unknown> => (await settings("http://h/f", ...args)).jobs[0].body.tag;
  const labels = [
    await tagOf("--tag", "x"),
    await tagOf("--application", "x"),
    await tagOf("--identifier", "x"),
    await tagOf("--tag", "x", "--application", "x"),
  ];
  t.is(labels[0], "x");
  t.is(new Set(labels).size, labels.length);
});

test("several URLs get a file each, in one folder, with a number where names are equal", async (t) => {
  const read = await settings("http://h/a", "http://g/a", "http://h/b", "http://h/a", "-P", "into");
  t.deepEqual(
    read.jobs.map(({ url, output }) => [url, output]),
    [
      ["http://h/a", "/cwd/into/a"],
      ["http://g/a", "/cwd/into/a.1"],
      ["http://h/b", "/cwd/into/b"],
    ],
  );
  const streamed = await settings("http://h/a", "http://h/b", "-O", "-");
  t.deepEqual(
    streamed.jobs.map(({ output }) => output),
    [undefined, undefined],
  );
});

test("dfget takes v2's digests", async (t) => {
  const read = await settings("http://h/a", "--digest", `md5:${"AB".repeat(16)}`);
  t.like(read.jobs[0].body, { digest: undefined, md5: "ab".repeat(16) });
});

test("dfget refuses before anything starts", async (t) => {
  const lines = [
    [],
    ["http://h/a", "http://h/b", "-o", "one"],
    ["http://h/a", "-o", "one", "-O", "two"],
    ["http://h/a", "--pattern", "x"],
    ["http://h/a", "--pattern", "source", "--notbs"],
    ["http://h/a", "--priority", "7"],
    ["http://h/a", "--node", "h=0"],
    ["http://h/a", "--max-concurrent", "0"],
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

test("parseUrlList() leaves out comments and blank lines", (t) => {
  t.deepEqual(parseUrlList("# files\nhttp://h/a\r\n\n  http://h/b  \n#http://h/c\n"), ["http://h/a", "http://h/b"]);
});

test("EventStream finds events and content however the bytes are cut", (t) => {
  const warning = { event: "warning", message: "ä" } as const;
  const content = Buffer.from('{"event":"warning"}\n\n\0x');
  const bytes = Buffer.concat([
    Buffer.from(`${JSON.stringify(warning)}\n${JSON.stringify({ event: "data", length: content.length })}\n`),
    content,
    Buffer.from(`${JSON.stringify({ event: "data", length: 0 })}\n${JSON.stringify(warning)}\n`),
  ]);
  for (let cut = 1; cut <= bytes.length; cut++) {
    const stream = new EventStream(200);
    const items: StreamItem[] = [];
    for (let at = 0; at < bytes.length; at += cut) items.push(...stream.push(bytes.subarray(at, at + cut)));
    const seen = Buffer.concat(items.flatMap((item) => (item.kind === "content" ? [item.bytes] : [])));
    t.true(seen.equals(content), `cut every ${cut} bytes`);
    t.deepEqual(
      items.flatMap((item) => (item.kind === "event" ? [item.event] : [])),
      [warning, warning],
    );
  }
});

test("EventStream refuses what no daemon sends", (t) => {
  const push = (text: string): unknown => [...new EventStream(200).push(Buffer.from(text))];
  t.throws(() => push("<html>\n"), { code: "protocol" });
  t.throws(() => push('{"event":"data","length":9999999999}\n'), { code: "protocol" });
  t.throws(() => push("x".repeat(2 * 1024 * 1024)), { code: "protocol" });
  t.deepEqual(push('{"error":{"code":"bad_request","message":"m"}}\n'), [
    { kind: "event", event: { event: "error", code: "bad_request", message: "m" } },
  ]);
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

test("progressLine() has the name in front where there are several", (t) => {
  const progress = {
    event: "progress",
    bytes: 1,
    total: 2,
    rate: 1,
    peers: 1,
    from: { origin: 0, seeder: 0, peers: 0, cache: 0 },
  } as const;
  t.true(progressLine(progress, 100, "file").startsWith("file "));
  for (const columns of [5, 20, 40, 80]) t.true(progressLine(progress, columns, "x".repeat(50)).length <= columns);
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
