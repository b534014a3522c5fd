/** `--encryption` between our own engines, in live and final swarms: who reaches whom, and that what arrives is right. */
import { once } from "node:events";
import test, { type ExecutionContext } from "ava";
import type { DialMode, EncryptionPolicy } from "../../../peer/engine/mse/encryption-policy.ts";
import { startTap } from "../../support/byte-tap.ts";
import { addTorrent, completed, contentOf, feed, liveFile, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { seededBytes } from "../../support/scripted-origin.ts";
import { addStandard, standardTorrent } from "../../support/standard-torrent.ts";

const MIB = 1024 * 1024;
const FILE = standardTorrent({ seed: 91, lengthBytes: 3 * MIB + 5, pieceLengthBytes: MIB / 4 });
const PLAIN = Buffer.from("\x13BitTorrent protocol", "latin1");

/** Downloads a live torrent through a tap on the wire; tells how the stream that brought it began. */
async function download(t: ExecutionContext, from: EncryptionPolicy, to: EncryptionPolicy): Promise<DialMode> {
  await using folder = await temporaryFolder();
  await using seeder = await startEngine("seeder", { encryption: from });
  await using peer = await startEngine("peer", { encryption: to });
  const file = liveFile(seededBytes(92, 2 * MIB));
  await feed(await addTorrent(seeder, file, folder.path, true), file.content);
  await using tap = await startTap(seeder.address.port);
  const target = await addTorrent(peer, file, folder.path);
  target.addPeers([tap.address]);
  target.download(true);
  await completed(target);
  t.true(file.content.equals(await contentOf(target)));
  const [last] = tap.streams.toSorted((a, b) => b.length - a.length);
  const isSeen = last.includes(file.content.subarray(100_000, 100_064));
  t.is(isSeen, !(from === "require" || to === "require" || from === "prefer"), "whether the content can be seen on the wire");
  return last.subarray(0, PLAIN.length).equals(PLAIN) ? "plain" : "encrypted";
}

for (const [from, to, mode] of [
  ["allow", "allow", "plain"],
  ["off", "allow", "plain"],
  ["require", "require", "encrypted"],
  ["require", "allow", "encrypted"],
  ["allow", "require", "encrypted"],
  ["prefer", "prefer", "encrypted"],
  ["off", "prefer", "plain"],
] as const) {
  test(`a live torrent from a seeder with "${from}" to a peer with "${to}" goes ${mode}`, async (t) => {
    t.is(await download(t, from, to), mode);
  });
}

test("who requires encryption and who has none do not meet", async (t) => {
  await using folder = await temporaryFolder();
  await using seed = await startEngine("peer", { encryption: "off" });
  await using peer = await startEngine("peer", { encryption: "require" });
  await feed(await addStandard(seed, FILE, { folder: folder.path, version: 1 }), FILE.content);
  await using tap = await startTap(seed.address.port);
  const target = await addStandard(peer, FILE, { folder: folder.path, version: 1 });
  target.addPeers([tap.address]);
  target.download(true);
  await once(tap.events, "closed", { signal: AbortSignal.timeout(20_000) });
  t.is(target.stats.piecesHave, 0);
});
