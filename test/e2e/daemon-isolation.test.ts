/** A peer that lies to a host daemon: found out, left alone, shown by `dfget info`; the download is right. Real processes. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { startLyingPeer } from "../support/lying-peer.ts";
import { lastJson, runCommand } from "../support/processes.ts";
import { seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;

test("a peer that sends wrong bytes is left alone, and dfget info tells whom, why and for how long", async (t) => {
  await using cluster = await Cluster.start({ supernodeArgs: ["--no-seeder"] });
  const honest = await cluster.startDaemon("honest", ["--upload-limit", "4MB"]);
  await cluster.startDaemon("victim");
  const file = join(cluster.folder, "file.bin");
  await writeFile(file, seededBytes(95, 8 * MIB));
  const home = (name: string): string[] => ["--home", cluster.home(name)];
  const seeded = await runCommand({ command: "dfget", args: ["seed", file, "-o", `${file}.torrent`, "--json", ...home("honest")] });
  t.is(seeded.exitCode, 0, seeded.stderr);
  const { infoHash } = lastJson(seeded);
  const pieces = 32;
  await using liar = await startLyingPeer(pieces, ({ length }) => ({ block: Buffer.alloc(length) }));
  const peers = [`127.0.0.1:${liar.address.port}`, honest.ready.peer].flatMap((peer) => ["--peer", peer]);
  const output = cluster.output("victim");
  const added = await runCommand({
    command: "dfget",
    args: ["add", `${file}.torrent`, "-o", output, "--json", ...peers, ...home("victim")],
  });
  t.is(added.exitCode, 0, added.stdout + added.stderr);
  t.is(await sha256Of(output), await sha256Of(file));
  t.is((await readFile(output)).length, 8 * MIB);
  const [task] = lastJson(await runCommand({ command: "dfget", args: ["ls", "--json", ...home("victim")] })).tasks as {
    infoHash: string;
  }[];
  const shown = lastJson(await runCommand({ command: "dfget", args: ["info", task.infoHash, "--json", ...home("victim")] }));
  const [banned] = shown.banned as Record<string, unknown>[];
  t.like(banned, { host: "127.0.0.1", port: liar.address.port, offence: "bad_block" }, `${infoHash}: ${JSON.stringify(shown)}`);
  t.true((banned.seconds as number) > 25 * 60);
  const text = (await runCommand({ command: "dfget", args: ["info", task.infoHash, ...home("victim")] })).stdout;
  t.regex(text, new RegExp(`127\\.0\\.0\\.1:${liar.address.port} is left alone for \\d+ m \\d+ s: it sent `));
  t.like(lastJson(await runCommand({ command: "dfget", args: ["info", "--json", ...home("victim")] })), { bannedPeers: 1 });
});
