/**
 * Message stream encryption with others, forced on one side or the other, in both directions: libtorrent, aria2 and transmission.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { startTinyTracker } from "../../bench/contenders/tiny-tracker.ts";
import type { EncryptionPolicy } from "../../peer/engine/mse/encryption-policy.ts";
import { sha256Of } from "../support/cluster.ts";
import { completed, contentOf, feed, startEngine } from "../support/engines.ts";
import { temporaryFolder } from "../support/folders.ts";
import { freePort, until } from "../support/processes.ts";
import { addStandard, standardTorrent, writeTorrent } from "../support/standard-torrent.ts";
import { aria2, hasAria2, hasLibtorrent, libtorrent } from "../support/tools.ts";
import { ownAddress, startTransmission, transmissionIsMissing } from "../support/transmission.ts";

const MIB = 1024 * 1024;
const FILE = standardTorrent({ seed: 31, lengthBytes: 12 * MIB + 77, pieceLengthBytes: MIB / 4 });
const libtorrentTest = hasLibtorrent() ? test : test.skip;
const aria2Test = hasAria2() ? test : test.skip;
const transmissionTest = transmissionIsMissing() === undefined ? test : test.skip;

/** What libtorrent is told, and how we are set. */
const PAIRS: readonly { theirs: readonly string[]; ours: EncryptionPolicy; version: 1 | 2 }[] = [
  { theirs: ["--encryption", "forced", "--level", "rc4"], ours: "allow", version: 1 },
  { theirs: ["--encryption", "forced", "--level", "both"], ours: "allow", version: 2 },
  { theirs: ["--encryption", "forced", "--level", "plaintext"], ours: "allow", version: 1 },
  { theirs: ["--encryption", "enabled"], ours: "require", version: 1 },
  { theirs: ["--encryption", "forced"], ours: "prefer", version: 1 },
  { theirs: ["--encryption", "disabled"], ours: "prefer", version: 1 },
];

for (const { theirs, ours, version } of PAIRS) {
  const pair = `libtorrent ${theirs.join(" ")}, ours ${ours}, v${version}`;

  libtorrentTest(`we leech from ${pair}`, async (t) => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, FILE.name), FILE.content);
    await using seed = libtorrent([await writeTorrent(FILE, { folder: folder.path, version }), folder.path, "seed", ...theirs]);
    const { port } = JSON.parse(await seed.firstLine());
    await using engine = await startEngine("peer", { encryption: ours });
    const torrent = await addStandard(engine, FILE, { folder: folder.path, version });
    torrent.addPeers([{ host: "127.0.0.1", port }]);
    torrent.download(true);
    await completed(torrent);
    t.true((await contentOf(torrent)).equals(FILE.content));
  });

  libtorrentTest(`we seed to ${pair}`, async (t) => {
    await using folder = await temporaryFolder();
    await using engine = await startEngine("peer", { encryption: ours });
    const torrent = await addStandard(engine, FILE, { folder: folder.path, version });
    await feed(torrent, FILE.content);
    const target = join(folder.path, "leech");
    const peer = `127.0.0.1:${engine.address.port}`;
    await using leech = libtorrent([await writeTorrent(FILE, { folder: folder.path, version }), target, "leech", ...theirs, peer]);
    t.is(await leech.exited, 0, leech.output());
    t.is(await sha256Of(join(target, FILE.name)), FILE.sha256);
  });
}

const CRYPTO_ONLY = ["--bt-require-crypto=true", "--bt-min-crypto-level=arc4"];

aria2Test("we leech from aria2 that takes RC4 only, ours allow", async (t) => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, FILE.name), FILE.content);
  const port = await freePort();
  const path = await writeTorrent(FILE, { folder: folder.path, version: 1 });
  const args = ["--dir", folder.path, "--seed-ratio=0", "--check-integrity=true", `--listen-port=${port}`, ...CRYPTO_ONLY, path];
  await using seed = aria2(args);
  await using engine = await startEngine("peer");
  const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
  torrent.download(true);
  await until(() => {
    torrent.addPeers([{ host: "127.0.0.1", port }]);
    return torrent.complete;
  }, 60_000);
  t.true((await contentOf(torrent)).equals(FILE.content), seed.output().slice(-500));
});

aria2Test("we seed to aria2 that takes RC4 only, ours allow", async (t) => {
  await using folder = await temporaryFolder();
  await using engine = await startEngine("peer");
  const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
  await feed(torrent, FILE.content);
  await using tracker = await startTinyTracker(`127.0.0.1:${engine.address.port}`);
  const path = await writeTorrent(FILE, { folder: folder.path, version: 1, trackers: [tracker.url] });
  const target = join(folder.path, "leech");
  await using leech = aria2(["--dir", target, "--seed-time=0", ...CRYPTO_ONLY, path]);
  t.is(await leech.exited, 0, leech.output());
  t.is(await sha256Of(join(target, FILE.name)), FILE.sha256);
});

for (const { theirs, ours } of [
  { theirs: "required", ours: "allow" },
  { theirs: "preferred", ours: "require" },
  { theirs: "tolerated", ours: "off" },
] as const) {
  const pair = `transmission with encryption ${theirs}, ours ${ours}`;

  // no pair of "tolerated" and "require": such a transmission never dials encrypted
  transmissionTest(`we leech from ${pair}`, async (t) => {
    await using folder = await temporaryFolder();
    await using tracker = await startTinyTracker(undefined);
    await writeFile(join(folder.path, FILE.name), FILE.content);
    const path = await writeTorrent(FILE, { folder: folder.path, version: 1, trackers: [tracker.url] });
    await using seed = await startTransmission({ torrent: path, folder: folder.path, encryption: theirs });
    await using engine = await startEngine("peer", { encryption: ours, host: "0.0.0.0" });
    const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
    torrent.download(true);
    // it may still be starting: the address is given again until it answers
    await until(() => {
      torrent.addPeers([{ host: ownAddress() as string, port: seed.port }]);
      return torrent.complete;
    }, 60_000);
    t.true((await contentOf(torrent)).equals(FILE.content), seed.tool.output().slice(-500));
  });

  transmissionTest(`we seed to ${pair}`, async (t) => {
    await using folder = await temporaryFolder();
    await using engine = await startEngine("peer", { encryption: ours, host: "0.0.0.0" });
    const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
    await feed(torrent, FILE.content);
    await using tracker = await startTinyTracker(`${ownAddress()}:${engine.address.port}`);
    const path = await writeTorrent(FILE, { folder: folder.path, version: 1, trackers: [tracker.url] });
    const target = join(folder.path, "leech");
    await mkdir(target);
    await using leech = await startTransmission({ torrent: path, folder: target, encryption: theirs });
    await until(() => leech.isDone(), 90_000);
    t.is(await sha256Of(join(target, FILE.name)), FILE.sha256);
  });
}
