/**
 * dfget's subcommands with real processes: what is stored, where it came from, sharing, limits, checks, completions.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test from "ava";
import { MIB, place, sha256, startDaemon } from "../support/dfget-place.ts";
import { lastJson, stopDaemonOf } from "../support/processes.ts";
import { seededBytes } from "../support/scripted-origin.ts";

test("ls, info, export and rm show and serve what is stored, and where its bytes came from", async (t) => {
  await using at = await place();
  const { url, sha256: expected } = at.origin.add("/file.bin", seededBytes(50, 3 * MIB));
  const { infoHash } = lastJson(await at.dfget(url, "-o", "out"));
  const listed = await at.plain(["ls"]);
  t.regex(listed.stdout, new RegExp(`^${String(infoHash).slice(0, 12)} .*3\\.1 MB.*100 %.*complete.*file\\.bin.*${url}`));
  const detail = lastJson(await at.plain(["info", "file.bin", "--json"]));
  t.like(detail, { infoHash, url, complete: true, pieceCount: 12, piecesHave: 12, from: { origin: 3 * MIB, seeder: 0, peers: 0 } });
  // the account outlives the daemon
  await stopDaemonOf(at.home);
  const people = await at.plain(["info", String(infoHash).slice(0, 8)]);
  t.regex(people.stdout, /came from: origin 3\.1 MB/);
  const asked = at.origin.requests.length;
  t.like(lastJson(await at.plain(["export", url, "-o", "copy", "--json"])), { status: "ok", from: { cache: 3 * MIB } });
  t.is(await sha256(at.path("copy")), expected);
  t.is(at.origin.requests.length, asked);
  t.is((await at.plain(["rm", url])).exitCode, 0);
  t.is((await at.plain(["ls"])).stdout, "");
  const gone = await at.plain(["info", url]);
  t.is(gone.exitCode, 12);
  t.regex(gone.stderr, /dfget info: this host has no task/);
  t.is(await sha256(at.path("out")), expected, "the output went with the store");
});

test("seed shares a file; add gets it by .torrent and by magnet link, v1 and v2, on another host", async (t) => {
  await using at = await place();
  await using other = await place();
  const bytes = seededBytes(51, 2 * MIB + 77);
  await writeFile(at.path("shared.bin"), bytes);
  const shared = lastJson(await at.plain(["seed", "shared.bin", "--json"]));
  t.is(shared.torrent, at.path("shared.bin.torrent"));
  const magnet = `magnet:?xt=urn:btih:${shared.infoHashV1}&dn=got.bin&x.pe=${encodeURIComponent(String(shared.peer))}`;
  const byMagnet = lastJson(await other.plain(["add", magnet, "--json"]));
  t.like(byMagnet, { status: "ok", bytes: bytes.length, from: { peers: bytes.length, origin: 0 } });
  // the torrent's own name counts, not what the link calls it
  t.true((await readFile(other.path("shared.bin"))).equals(bytes));
  // known by now under this hash: no peer is needed
  await stopDaemonOf(at.home);
  const byFile = lastJson(await other.plain(["add", String(shared.torrent), "-o", "again", "--json"]));
  t.like(byFile, { status: "ok", from: { cache: bytes.length } });
  t.true((await readFile(other.path("again"))).equals(bytes));
  const people = await at.plain(["seed", "shared.bin", "--v2", "-o", "two.torrent"]);
  t.regex(people.stdout, /magnet: magnet:\?xt=urn:btih:[0-9a-f]{40}/);
  t.true((await readFile(at.path("two.torrent"))).includes("12:piece layers"));
  await using third = await place();
  const { peer } = lastJson(await at.plain(["info", "--json"])) as unknown as { peer: string };
  const byV2 = lastJson(await third.plain(["add", at.path("two.torrent"), "--peer", peer, "-o", "v2", "--json"]));
  t.is(byV2.code, undefined, JSON.stringify(byV2));
  t.like(byV2, { status: "ok", infoHash: shared.infoHashV2, from: { peers: bytes.length } });
  t.true((await readFile(third.path("v2"))).equals(bytes));
});

test("add refuses clearly what it cannot download", async (t) => {
  await using at = await place();
  await writeFile(at.path("no.torrent"), "hello");
  await writeFile(at.path("odd.torrent"), "d4:infod5:filesl1:ae4:name1:x12:piece lengthi16384e6:pieces0:ee");
  for (const [source, said] of [
    ["no.torrent", /no \.torrent file/],
    ["odd.torrent", /a file that is no dictionary/],
    ["magnet:?dn=x", /names no torrent/],
    ["absent.torrent", /cannot read/],
  ] as const) {
    const result = await at.plain(["add", source]);
    t.is(result.exitCode, 2, result.stderr);
    t.regex(result.stderr, said);
  }
  const nobody = await at.plain(["add", `magnet:?xt=urn:btih:${"ab".repeat(20)}`]);
  t.is(nobody.exitCode, 32);
});

test("import puts a file into the store as the content of a URL; the origin is only asked what it has", async (t) => {
  await using at = await place();
  const bytes = seededBytes(52, 4 * MIB);
  const { url, sha256: expected } = at.origin.add("/big", bytes);
  // the last part is missing: that alone is downloaded
  await writeFile(at.path("part"), bytes.subarray(0, 3 * MIB));
  const imported = lastJson(await at.plain(["import", "part", "--url", url, "--digest", `sha256:${expected}`, "--json"]));
  t.like(imported, { status: "ok", output: null, from: { cache: 3 * MIB, origin: MIB } });
  t.true(at.origin.bytesSent < 1.1 * MIB, `${at.origin.bytesSent} bytes left the origin`);
  t.like(lastJson(await at.dfget(url, "-o", "out")), { from: { cache: 4 * MIB } });
  t.is(await sha256(at.path("out")), expected);
});

test("limit shows and changes the rates of the running daemon at once", async (t) => {
  await using at = await place();
  await using _ = await startDaemon(at);
  t.like(lastJson(await at.plain(["limit", "--json"])), { download: 0, upload: 0, backToSource: 0 });
  t.like(lastJson(await at.plain(["limit", "--download", "2MiB", "--upload", "5M", "--json"])), { download: 2 * MIB, upload: 5e6 });
  const { url } = at.origin.add("/file", seededBytes(53, 4 * MIB));
  const limited = lastJson(await at.dfget(url, "-o", "out"));
  // 4 MiB at 2 MiB/s are 2 s; a bucket may begin with a fifth of a second's worth
  t.true((limited.seconds as number) > 1.6, `${limited.seconds} s`);
  t.regex((await at.plain(["limit", "--download", "0"])).stdout, /download: unlimited\nupload: 5\.0 MB\/s/);
  const other = at.origin.add("/other", seededBytes(54, MIB));
  t.is((await at.plain([other.url, "-o", "o", "--totallimit", "7M"])).exitCode, 0);
  t.like(lastJson(await at.plain(["limit", "--json"])), { download: 7e6 });
});

test("doctor tells what is wrong, and what is not", async (t) => {
  await using at = await place();
  await using _ = await startDaemon(at);
  await using listener = await lateClock();
  const report = lastJson(await at.plain(["doctor", "--json", "--supernode", listener.url]));
  const findings = report.findings as unknown as { name: string; status: string; message: string; advice?: string }[];
  const named = (name: string) => findings.find((finding) => finding.name.startsWith(name));
  t.like(named("daemon"), { status: "ok" });
  t.like(named("peer port"), { status: "ok" });
  t.like(named("disk"), { status: "ok" });
  t.like(named("clock"), { status: "warning" });
  t.is(findings.filter(({ name }) => name.startsWith("supernode")).length, 2);
  // the supernode of the harness: nobody listens there
  t.like(named("supernode http://127.0.0.1:1"), { status: "wrong" });
  const people = await at.plain(["doctor"]);
  t.is(people.exitCode, 1);
  t.regex(people.stdout, /FAIL {2}supernode http:\/\/127\.0\.0\.1:1: ECONNREFUSED\n.*Start one/);
});

/** Something that answers like a supernode whose clock is an hour behind. */
async function lateClock() {
  const server = createServer((_, response) => {
    response.setHeader("date", new Date(Date.now() - 3_600_000).toUTCString());
    response.end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, [Symbol.asyncDispose]: async () => void server.close() };
}

test("completion gives scripts that their shells take, with every option in them", async (t) => {
  await using at = await place();
  const script = (await at.bare("completion", "bash")).stdout;
  for (const flag of ["--digest", "--totallimit", "doctor", "--download"]) t.true(script.includes(flag), flag);
  await writeFile(at.path("c.bash"), script);
  const ask = (...words: string[]): string => {
    const line = `source ${at.path("c.bash")}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _dfget; echo "\${COMPREPLY[@]}"`;
    const { stdout, status, stderr } = spawnSync("bash", ["-c", line], { encoding: "utf8" });
    t.is(status, 0, stderr);
    return stdout.trim();
  };
  t.is(ask("dfget", "--dig"), "--digest");
  t.is(ask("dfget", "doc"), "doctor");
  t.is(ask("dfget", "limit", "--up"), "--upload");
  t.is(ask("dfget", "--pattern", ""), "p2p cdn source");
  t.is(ask("dfget", "completion", "fi"), "fish");
  for (const shell of ["zsh", "fish"]) {
    const text = (await at.bare("completion", shell)).stdout;
    t.true(text.includes("totallimit") && text.includes("doctor"), shell);
    await writeFile(at.path(shell), text);
    const found = spawnSync(shell, ["-n", at.path(shell)], { encoding: "utf8" });
    if (found.error === undefined) t.is(found.status, 0, found.stderr);
    else t.log(`${shell} is not here`);
  }
  t.is((await at.bare("completion", "tcsh")).exitCode, 2);
});

const COMPLETED = [
  ["dfget --dig", "--digest"],
  ["dfget doc", "doctor"],
  ["dfget limit --up", "--upload"],
  ["dfget completion fi", "fish"],
] as const;

test("completion: fish itself completes commands, options and values", async (t) => {
  if (spawnSync("fish", ["--version"]).status !== 0) return t.pass("there is no fish here");
  await using at = await place();
  await writeFile(at.path("dfget.fish"), (await at.bare("completion", "fish")).stdout);
  for (const [line, expected] of COMPLETED) {
    const command = `source ${at.path("dfget.fish")}; complete -C '${line}'`;
    const { stdout, stderr } = spawnSync("fish", ["--no-config", "-c", command], {
      cwd: at.folder,
      encoding: "utf8",
      env: { ...process.env, HOME: at.folder },
    });
    t.is(stdout.split("\t")[0].trim(), expected, stderr);
  }
});

test("completion: zsh itself completes commands, options and values", async (t) => {
  if (spawnSync("zsh", ["-fc", "zmodload zsh/zpty"]).status !== 0) return t.pass("there is no zsh here");
  await using at = await place();
  await writeFile(at.path("_dfget"), (await at.bare("completion", "zsh")).stdout);
  const setUp = `autoload -Uz compinit; compinit -u -d ${at.path("dump")}; source ${at.path("_dfget")}`;
  for (const [line, expected] of COMPLETED) {
    // types the line and the tab key on a terminal, and reads until the rest of the word was typed for us
    const rest = expected.slice(line.split(" ").at(-1)?.length);
    const script = `zmodload zsh/zpty; zpty z zsh -f -i; zpty -w z '${setUp}'; zpty -w -n z $'${line}\\t'; zpty -r -m z seen '*${rest}*'; print -r -- "$seen"`;
    const { stdout, status } = spawnSync("zsh", ["-fc", script], {
      encoding: "utf8",
      timeout: 20_000,
      env: { ...process.env, HOME: at.folder },
    });
    t.is(status, 0, `"${line}" was not completed to ${expected}`);
    t.true(stdout.includes(rest));
  }
});

test("-r downloads what index pages name, below the start only, bounded in depth and by patterns", async (t) => {
  await using at = await place();
  const page = (...links: string[]): Buffer =>
    Buffer.from(`<html><body><h1>Index of /</h1>${links.map((href) => `<a href="${href}">x</a><br>`).join("\n")}</body></html>`);
  const { url } = at.origin.add(
    "/pub/",
    page("?C=M;O=A", "/", "../", "a.txt", "b&amp;c.bin", "sub/", "http://elsewhere/x", "%2e%2e%2fevil"),
  );
  at.origin.add("/pub/a.txt", Buffer.from("a"));
  at.origin.add("/pub/b&c.bin", Buffer.from("bc"));
  at.origin.add("/pub/%2e%2e%2fevil", Buffer.from("evil"));
  at.origin.add("/pub/sub/", page("../", "deep/", "d.txt"));
  at.origin.add("/pub/sub/d.txt", Buffer.from("d"));
  at.origin.add("/pub/sub/deep/", page("never.txt"));
  const result = await at.dfget(url, "-r", "-l", "2", "-P", "tree");
  t.is(result.exitCode, 0, result.stdout + result.stderr);
  t.is(await readFile(at.path("tree/a.txt"), "utf8"), "a");
  t.is(await readFile(at.path("tree/b&c.bin"), "utf8"), "bc");
  t.is(await readFile(at.path("tree/sub/d.txt"), "utf8"), "d");
  t.is(await readFile(at.path("tree/.._evil"), "utf8"), "evil");
  t.like(lastJson(result), { event: "summary", status: "ok", downloads: 4, failed: 0 });
  t.false(at.origin.requests.some((request) => JSON.stringify(request).includes("/deep/")));
  const some = await at.dfget(url, "-r", "--include-files", "*.txt,sub/*.bin", "-l", "2", "-P", "some");
  t.like(lastJson(some), { downloads: 2 });
  t.is((await at.dfget(at.origin.add("/file", Buffer.from("x")).url, "-r")).exitCode, 2);
});

test("a user's own configuration file serves the subcommands too", async (t) => {
  await using at = await place();
  await writeFile(at.path("dfget.yaml"), `limit: 5MB\nhome: ${join(at.folder, "elsewhere")}\n`);
  const answer = await at.bare("info", "--json", "--config", at.path("dfget.yaml"));
  t.is(lastJson(answer).home as unknown, join(at.folder, "elsewhere"));
  t.truthy(await stat(join(at.folder, "elsewhere")));
  await stopDaemonOf(join(at.folder, "elsewhere"));
});
