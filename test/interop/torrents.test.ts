/**
 * Torrents of several files and of all versions between ours and libtorrent, which makes and seeds them here.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { startTinyTracker } from "../../bench/contenders/tiny-tracker.ts";
import { readTorrentFile } from "../../peer/daemon/torrent-source.ts";
import { magnetLink } from "../../torrents/torrent-file.ts";
import { place, startDaemon } from "../support/dfget-place.ts";
import { freePort, lastJson, stopDaemonOf, until } from "../support/processes.ts";
import { aria2, hasAria2, hasLibtorrent, libtorrent, makeTorrent, runTool } from "../support/tools.ts";
import { digestsBelow, isExecutable, SET_PIECE_BYTES, writeSet } from "../support/torrent-set.ts";
import { ownAddress, startTransmission, transmissionIsMissing } from "../support/transmission.ts";

const aria2Test = hasAria2() ? test : test.skip;
const transmissionTest = transmissionIsMissing() === undefined ? test : test.skip;
const libtorrentTest = hasLibtorrent() ? test : test.skip;

for (const version of ["v1", "v2", "hybrid"] as const) {
  libtorrentTest(`dfget add downloads a ${version} torrent of several files that libtorrent made and seeds`, async (t) => {
    await using at = await place();
    await writeSet(at.path("set"), 31);
    const torrent = at.path(`set.${version}.torrent`);
    await makeTorrent({ source: at.path("set"), torrent, version, pieceBytes: SET_PIECE_BYTES });
    await using seed = libtorrent([torrent, at.folder, "seed"]);
    const { port } = JSON.parse(await seed.firstLine());
    const result = await at.dfget("add", torrent, "--peer", `127.0.0.1:${port}`, "-o", join(at.folder, "out/"));
    t.is(result.exitCode, 0, result.stdout + result.stderr);
    t.deepEqual(await digestsBelow(at.path("out/set")), await digestsBelow(at.path("set")));
    t.true(await isExecutable(at.path("out/set/sub/b.sh")));
  });
}

for (const version of ["v1", "v2", "hybrid"] as const) {
  libtorrentTest(`dfget add downloads a ${version} torrent of one file that libtorrent made and seeds`, async (t) => {
    await using at = await place();
    await writeSet(at.path("set"), 35);
    await makeTorrent({ source: at.path("set/big.bin"), torrent: at.path("big.torrent"), version, pieceBytes: SET_PIECE_BYTES });
    await using seed = libtorrent([at.path("big.torrent"), at.path("set"), "seed"]);
    const { port } = JSON.parse(await seed.firstLine());
    const result = await at.dfget("add", at.path("big.torrent"), "--peer", `127.0.0.1:${port}`, "-o", at.path("other-name"));
    t.is(result.exitCode, 0, result.stdout + result.stderr);
    t.true((await readFile(at.path("other-name"))).equals(await readFile(at.path("set/big.bin"))));
  });
}

for (const [version, flags] of [
  ["v1", []],
  ["v2", ["--v2"]],
  ["hybrid", ["--hybrid"]],
] as const) {
  for (const [what, path] of [
    ["folder", "set"],
    ["file", "set/big.bin"],
  ] as const) {
    libtorrentTest(`dfget seed shares a ${what} in place, and libtorrent downloads its ${version} torrent`, async (t) => {
      await using at = await place();
      await writeSet(at.path("set"), 41);
      const made = await at.dfget("seed", at.path(path), ...flags, "--piece-length", "64KiB", "-o", at.path("made.torrent"));
      t.is(made.exitCode, 0, made.stderr);
      const { peer } = JSON.parse(made.stdout);
      await using leech = libtorrent([at.path("made.torrent"), at.path("out"), "leech", peer]);
      t.is(await leech.exited, 0, leech.output());
      if (what === "folder") t.deepEqual(await digestsBelow(at.path("out/set")), await digestsBelow(at.path("set")));
      else t.is((await digestsBelow(at.path("out")))["big.bin"], (await digestsBelow(at.path("set")))["big.bin"]);
    });
  }
}

libtorrentTest("a v2 magnet link of a folder that only libtorrent seeds: its piece hashes come from there", async (t) => {
  await using at = await place();
  await writeSet(at.path("set"), 51);
  const torrent = at.path("set.torrent");
  await makeTorrent({ source: at.path("set"), torrent, version: "v2", pieceBytes: SET_PIECE_BYTES });
  await using seed = libtorrent([torrent, at.folder, "seed"]);
  const { port } = JSON.parse(await seed.firstLine());
  const { infos } = readTorrentFile(await readFile(torrent));
  const magnet = magnetLink({ name: "x", infoV2: infos?.infoV2, trackers: [] });
  const result = await at.dfget("add", `${magnet}&x.pe=127.0.0.1:${port}`, "-o", join(at.folder, "out/"));
  t.is(result.exitCode, 0, result.stdout + result.stderr);
  t.deepEqual(await digestsBelow(at.path("out/set")), await digestsBelow(at.path("set")));
});

aria2Test("aria2 downloads a folder that we seed, and seeds it to us", async (t) => {
  await using at = await place();
  await using other = await place();
  const daemon = await startDaemon(at, "--peer-listen", "127.0.0.1:0");
  await using tracker = await startTinyTracker(daemon.ready.peer);
  await writeSet(at.path("set"), 52);
  const made = await at.dfget("seed", at.path("set"), "--piece-length", "64KiB", "--tracker", tracker.url, "-o", at.path("made.torrent"));
  t.is(made.exitCode, 0, made.stderr);
  const expected = await digestsBelow(at.path("set"));
  await using leech = aria2(["--dir", at.path("aria2"), "--seed-time=0", at.path("made.torrent")]);
  t.is(await leech.exited, 0, leech.output());
  t.deepEqual(await digestsBelow(at.path("aria2/set")), expected);
  await stopDaemonOf(at.home);
  const port = await freePort();
  const flags = ["--seed-ratio=0", "--check-integrity=true", `--listen-port=${port}`];
  await using _seed = aria2(["--dir", at.path("aria2"), ...flags, at.path("made.torrent")]);
  const result = await other.dfget("add", at.path("made.torrent"), "--peer", `127.0.0.1:${port}`, "-o", `${other.path("out")}/`);
  t.is(result.exitCode, 0, result.stdout + result.stderr);
  t.deepEqual(await digestsBelow(other.path("out/set")), expected);
});

transmissionTest("transmission downloads a folder that we seed", async (t) => {
  await using at = await place();
  await using daemon = await startDaemon(at, "--peer-listen", "0.0.0.0:0");
  await using tracker = await startTinyTracker(daemon.ready.peer.replace("127.0.0.1", String(ownAddress())));
  await writeSet(at.path("set"), 53);
  const made = await at.dfget("seed", at.path("set"), "--piece-length", "64KiB", "--tracker", tracker.url, "-o", at.path("made.torrent"));
  t.is(made.exitCode, 0, made.stderr);
  await using leech = await startTransmission({
    torrent: at.path("made.torrent"),
    folder: at.path("transmission"),
    encryption: "tolerated",
  });
  await until(() => leech.isDone(), 90_000);
  // it makes no empty files
  const { "sub/empty": _empty, ...expected } = await digestsBelow(at.path("set"));
  t.deepEqual(await digestsBelow(at.path("transmission/set")), expected);
});

for (const maker of ["transmission", "us"] as const)
  transmissionTest(`transmission seeds a folder to us, of a torrent made by ${maker}`, async (t) => {
    await using at = await place();
    await using other = await place();
    await using _ = await startDaemon(other, "--peer-listen", "0.0.0.0:0");
    await writeSet(at.path("set"), 54);
    const torrent = at.path("made.torrent");
    if (maker === "us") t.is((await at.dfget("seed", at.path("set"), "--piece-length", "64KiB", "-o", torrent)).exitCode, 0);
    else {
      await using tool = runTool("transmission-create", ["--piecesize", "64", "--outfile", torrent, at.path("set")]);
      t.is(await tool.exited, 0, tool.output());
    }
    await stopDaemonOf(at.home);
    await using seed = await startTransmission({ torrent, folder: at.folder, encryption: "tolerated" });
    await until(() => seed.tool.output().includes("Seeding"), 60_000);
    const result = await other.dfget("add", torrent, "--peer", `${ownAddress()}:${seed.port}`, "-o", `${other.path("out")}/`);
    t.is(result.exitCode, 0, result.stdout + result.stderr);
    t.is(lastJson(result).from.peers, Number(lastJson(result).bytes));
    const { "sub/empty": empty, ...expected } = await digestsBelow(at.path("set"));
    // it leaves empty files out of what it makes
    t.deepEqual(await digestsBelow(other.path("out/set")), maker === "us" ? { ...expected, "sub/empty": empty } : expected);
  });
