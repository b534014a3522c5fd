/** Torrents of folders between two hosts of ours: selection, what is there already, in place, magnet links, the end of a share. */
import { appendFile, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import test from "ava";
import { type Place, place, startDaemon } from "../support/dfget-place.ts";
import { daemonPid, lastJson, stopDaemonOf, until } from "../support/processes.ts";
import { digestsBelow, isExecutable, writeSet } from "../support/torrent-set.ts";

interface Shared {
  readonly torrent: string;
  readonly torrentV2: string;
  readonly magnet: string;
  readonly magnetV2: string;
  readonly infoHashV1: string;
  readonly infoHashV2: string;
  readonly peer: string;
}

async function share(at: Place, ...flags: string[]): Promise<Shared> {
  const result = await at.dfget("seed", at.path("set"), "--piece-length", "64KiB", ...flags);
  if (result.exitCode !== 0) throw new Error(result.stdout + result.stderr);
  return JSON.parse(result.stdout);
}

async function twoPlaces(seed: number): Promise<AsyncDisposable & { at: Place; other: Place }> {
  const stack = new AsyncDisposableStack();
  const at = stack.use(await place());
  const other = stack.use(await place());
  await writeSet(at.path("set"), seed);
  return { at, other, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("a folder is shared where it is and downloaded by .torrent: v1, its v2 twin, and hybrid", async (t) => {
  await using places = await twoPlaces(61);
  const { at, other } = places;
  const twins = await share(at);
  const hybrid = await share(at, "--hybrid", "-o", "hybrid.torrent");
  t.not(twins.infoHashV1, hybrid.infoHashV1);
  const expected = await digestsBelow(at.path("set"));
  for (const [name, torrent] of Object.entries({ v1: twins.torrent, v2: twins.torrentV2, hybrid: hybrid.torrent })) {
    const result = await other.dfget("add", torrent, "--peer", twins.peer, "-o", `${other.path(name)}/`);
    t.is(result.exitCode, 0, result.stdout + result.stderr);
    t.is(lastJson(result).output, other.path(`${name}/set`));
    t.deepEqual(await digestsBelow(other.path(`${name}/set`)), expected);
    t.true(await isExecutable(other.path(`${name}/set/sub/b.sh`)));
  }
  // no copy: what the store holds of the content are its hashes
  const { directory } = lastJson(await at.dfget("info", twins.infoHashV1)) as unknown as { directory: string };
  await t.throwsAsync(stat(`${directory}/data`), { code: "ENOENT" });
  await t.throwsAsync(stat(`${directory}/files`), { code: "ENOENT" });
});

test("--list-files shows what --files and --include choose; only their pieces are fetched, the rest later", async (t) => {
  await using places = await twoPlaces(62);
  const { at, other } = places;
  const { torrent, peer } = await share(at);
  const listing = lastJson(await other.dfget("add", torrent, "--list-files")) as unknown as {
    files: { path: string; lengthBytes: number }[];
  };
  t.deepEqual(
    listing.files.map(({ path }) => path),
    ["a.bin", "big.bin", "sub/b.sh", "sub/deep/c.bin", "sub/empty", "z.bin"],
  );
  const some = await other.dfget("add", torrent, "--peer", peer, "--files", "1,5", "--include", "sub/deep/*");
  t.is(some.exitCode, 0, some.stdout + some.stderr);
  t.is(lastJson(some).bytes, 700_000 + 300_001);
  const all = await digestsBelow(at.path("set"));
  const chosen = Object.fromEntries(["a.bin", "sub/deep/c.bin", "sub/empty"].map((path) => [path, all[path]]));
  t.deepEqual(await digestsBelow(other.path("set")), chosen);
  t.true(lastJson(some).from.peers < 1_300_000, "pieces that only other files have are left alone");
  const rest = await other.dfget("add", torrent, "--peer", peer);
  t.is(rest.exitCode, 0, rest.stdout + rest.stderr);
  t.deepEqual(await digestsBelow(other.path("set")), all);
  t.true(lastJson(rest).from.cache >= 1_000_001);
  const none = await other.dfget("add", torrent, "--files", "7");
  t.is(none.exitCode, 2);
});

test("dfget info shows a torrent's files, trackers, web seeds and ways to peers, before and after dfget add", async (t) => {
  await using places = await twoPlaces(64);
  const { at, other } = places;
  const named = ["--tracker", "http://127.0.0.1:1/announce", "--tracker", "udp://127.0.0.1:1", "--web-seed", "http://127.0.0.1:1/set"];
  const { torrent, magnet, peer, infoHashV1 } = await share(at, ...named);
  const expected = {
    trackerTiers: [["http://127.0.0.1:1/announce"], ["udp://127.0.0.1:1"]],
    webSeeds: ["http://127.0.0.1:1/set"],
    private: false,
    dht: false,
    lsd: true,
  };
  await using _ = await startDaemon(other, "--lsd", "added", "--dht", "off");
  const before = JSON.parse((await other.dfget("info", torrent)).stdout);
  t.like(before, { ...expected, infoHashes: [infoHashV1], peers: [] });
  t.is(before.files.length, 6);
  t.like(JSON.parse((await other.dfget("info", `${magnet}&x.pe=${peer}`)).stdout), { infoHashes: [infoHashV1], private: false });
  const text = await other.plain(["info", torrent]);
  t.regex(
    text.stdout,
    /tracker, tier 2: udp:\/\/127\.0\.0\.1:1\nweb seed: http:\/\/127\.0\.0\.1:1\/set\nprivate: no\nDHT: not used \(--dht\)/,
  );
  t.is((await other.dfget("add", torrent, "--peer", peer)).exitCode, 0);
  t.like(JSON.parse((await other.dfget("info", infoHashV1)).stdout), { ...expected, complete: true });
  const unknown = await other.dfget("info", "nothing.torrent");
  t.is(lastJson(unknown).status, "error", "a name, since there is no such file");
});

test("-c takes right pieces of an output folder; a file is streamed alone; what cannot be is refused", async (t) => {
  await using places = await twoPlaces(63);
  const { at, other } = places;
  const { torrent, peer } = await share(at);
  await mkdir(other.path("set"));
  const big = await readFile(at.path("set/big.bin"));
  // one wrong byte in the middle: one piece of 64 KiB is fetched again
  const damaged = Buffer.from(big);
  damaged[4_500_000] ^= 1;
  await writeFile(other.path("set/big.bin"), damaged);
  const result = await other.dfget("add", torrent, "--peer", peer, "--include", "big.bin", "-c");
  t.is(result.exitCode, 0, result.stdout + result.stderr);
  t.true((await readFile(other.path("set/big.bin"))).equals(big));
  // the wrong piece, and those that it shares with its neighbours
  t.true(lastJson(result).from.peers <= 3 * 65_536, JSON.stringify(lastJson(result)));
  const streamed = await other.plain(["add", torrent, "--peer", peer, "--files", "6", "-o", "-", "--quiet"]);
  t.is(streamed.stdout.length > 0, true);
  t.is((await other.dfget("add", torrent, "-o", "-")).exitCode, 2);
  t.is((await other.dfget("add", torrent, "--digest", `sha256:${"0".repeat(64)}`)).exitCode, 2);
  await writeFile(other.path("a-file"), "x");
  t.is((await other.dfget("add", torrent, "-o", other.path("a-file"))).exitCode, 21);
});

test("magnet links of folders: v1, v2 whose hashes peers have, hybrid, and so=", async (t) => {
  await using places = await twoPlaces(64);
  const { at, other } = places;
  const twins = await share(at);
  const hybrid = await share(at, "--hybrid", "-o", "hybrid.torrent");
  const expected = await digestsBelow(at.path("set"));
  const from = `&x.pe=${encodeURIComponent(twins.peer)}`;
  for (const [name, magnet] of Object.entries({ v1: twins.magnet, v2: twins.magnetV2, hybrid: hybrid.magnet })) {
    const result = await other.dfget("add", magnet + from, "-o", `${other.path(name)}/`, "--limit", "0");
    t.is(result.exitCode, 0, `${name}: ${result.stdout}${result.stderr}`);
    t.deepEqual(await digestsBelow(other.path(`${name}/set`)), expected);
  }
  const some = await other.dfget("add", `${twins.magnet}${from}&so=0,5`, "-o", `${other.path("some")}/`);
  t.is(some.exitCode, 0, some.stderr);
  t.deepEqual(Object.keys(await digestsBelow(other.path("some/set"))).sort(), ["a.bin", "z.bin"]);
});

test("a share outlives its daemon, ends when a file changes, and rm ends both twins without touching the files", async (t) => {
  await using places = await twoPlaces(65);
  const { at, other } = places;
  await symlink("/etc/passwd", at.path("set/link"));
  const first = await share(at);
  await stopDaemonOf(at.home);
  const rows = lastJson(await at.dfget("ls")) as unknown as { tasks: { infoHash: string; complete: boolean; pinned: boolean }[] };
  t.deepEqual(
    rows.tasks.map(({ complete, pinned }) => [complete, pinned]),
    [
      [true, true],
      [true, true],
    ],
  );
  const { peer } = lastJson(await at.dfget("info")) as unknown as { peer: string };
  const again = await other.dfget("add", first.torrentV2, "--peer", peer);
  t.is(again.exitCode, 0, again.stdout + again.stderr);
  t.false("link" in (await digestsBelow(other.path("set"))), "what a link points to is not shared");
  await appendFile(at.path("set/a.bin"), "x");
  const isGone = async (): Promise<boolean> => (await at.dfget("ls")).stdout.includes(first.infoHashV1) === false;
  await until(isGone, 20_000);
  t.true((await stat(at.path("set/a.bin"))).size > 0);
  const second = await share(at, "-o", at.path("second.torrent"));
  t.is((await at.dfget("rm", second.infoHashV1)).exitCode, 0);
  t.false((await at.dfget("ls")).stdout.includes(second.infoHashV2));
  t.is(Object.keys(await digestsBelow(at.path("set"))).length, 6);
});

test("a download that was killed goes on where it was", async (t) => {
  await using places = await twoPlaces(66);
  const { at, other } = places;
  const { torrent, peer } = await share(at);
  const slow = other.begin("add", torrent, "--peer", peer, "--limit", "3MB", "--no-progress");
  await until(async () => {
    const rows = (lastJson(await other.dfget("ls")).tasks ?? []) as unknown as { bytesHave: number }[];
    return (rows[0]?.bytesHave ?? 0) > 2_000_000;
  }, 30_000);
  const pid = await daemonPid(other.home);
  slow.signal("SIGKILL");
  process.kill(pid as number, "SIGKILL");
  await slow.result;
  const result = await other.dfget("add", torrent, "--peer", peer);
  t.is(result.exitCode, 0, result.stdout + result.stderr);
  t.true(lastJson(result).from.cache > 1_500_000, JSON.stringify(lastJson(result)));
  t.deepEqual(await digestsBelow(other.path("set")), await digestsBelow(at.path("set")));
});

test("an output that shares its bytes with the store ends the task when its user changes it", async (t) => {
  await using places = await twoPlaces(67);
  const { at, other } = places;
  const { torrent, peer, infoHashV1 } = await share(at);
  t.is((await other.dfget("add", torrent, "--peer", peer)).exitCode, 0);
  const { nlink } = await stat(other.path("set/big.bin"));
  t.is((await stat(other.path("set/a.bin"))).nlink, 1, "short files are copied");
  // a disk that shares blocks needs no second name, and sees no change
  if (nlink === 1) return;
  t.is(nlink, 2);
  await appendFile(other.path("set/big.bin"), "x");
  await until(async () => !(await other.dfget("ls")).stdout.includes(infoHashV1), 20_000);
});

test("an output that its user changed is no obstacle to a later add of other files", async (t) => {
  await using places = await twoPlaces(68);
  const { at, other } = places;
  const { torrent, peer } = await share(at);
  t.is((await other.dfget("add", torrent, "--peer", peer, "--include", "big.bin")).exitCode, 0);
  await stopDaemonOf(other.home);
  await appendFile(other.path("set/big.bin"), "x");
  for (const include of ["a.bin", "z.bin"]) {
    const result = await other.dfget("add", torrent, "--peer", peer, "--include", include);
    t.is(result.exitCode, 0, result.stdout + result.stderr);
  }
  const [there, original] = await Promise.all([digestsBelow(other.path("set")), digestsBelow(at.path("set"))]);
  t.deepEqual([there["a.bin"], there["z.bin"]], [original["a.bin"], original["z.bin"]]);
  t.not(there["big.bin"], original["big.bin"], "what the user wrote stays");
});

test("seed replaces nobody's file; a second one announces to new trackers; a wrong digest ends no share", async (t) => {
  await using at = await place();
  await mkdir(at.path("data"));
  const [movie, tracker] = [at.path("data/movie.bin"), "http://127.0.0.1:9/announce"];
  await writeFile(movie, Buffer.alloc(100_000, 7));
  const refused = await at.dfget("seed", movie, "-o", movie);
  t.is(refused.exitCode, 2, refused.stdout + refused.stderr);
  t.is((await at.dfget("seed", at.path("data"), "-o", at.path("data/data.torrent"))).exitCode, 2);
  t.is((await readFile(movie)).length, 100_000);
  await writeFile(at.path("movie.bin.torrent"), "somebody's");
  const taken = await at.dfget("seed", movie);
  t.is(taken.exitCode, 21, taken.stdout + taken.stderr);
  t.is(await readFile(at.path("movie.bin.torrent"), "utf8"), "somebody's");
  const first = lastJson(await at.dfget("seed", movie, "-o", at.path("one.torrent"))) as unknown as Shared;
  const again = await at.dfget("seed", movie, "-o", at.path("one.torrent"), "--tracker", tracker);
  t.is(again.exitCode, 0, again.stdout + again.stderr);
  const facts = async () => lastJson(await at.dfget("info", first.infoHashV2)) as unknown as { trackers: string[]; complete: boolean };
  t.true((await facts()).trackers.includes(tracker));
  const wrong = await at.dfget("add", first.torrent, "-o", at.path("copy"), "--digest", `sha256:${"0".repeat(64)}`);
  t.not(wrong.exitCode, 0);
  t.true((await facts()).complete, "the share goes on");
});
