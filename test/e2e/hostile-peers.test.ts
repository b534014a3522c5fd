/**
 * Hostile and broken peers against live daemons: a seed and a leech are attacked at once while one downloads from the other. Memory and
 * connections stay bounded, the download is right and about as fast as without, nothing crashes.
 */
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { InfoHash } from "../../torrents/ids.ts";
import { parseTorrentFile } from "../../torrents/parse-torrent-file.ts";
import { torrentFile } from "../../torrents/torrent-file.ts";
import { ATTACKS } from "../support/attacks.ts";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { pause, peerIdOf } from "../support/hostile-peer.ts";
import { lastJson, type RunningCommand, runCommand, until } from "../support/processes.ts";
import { seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;
const LENGTH = 32 * MIB;
/** A daemon that serves one file takes 150 MB here, its buffers 48 MiB of them. */
const MOST_MEMORY_MB = 400;
/** Connections (1000), files and what Node itself holds. */
const MOST_FILES = 1100;
/** The attackers take half of a shared machine's two cores. */
const SLOWER = 5;
const SLACK_MS = 3000;

interface Scene {
  readonly cluster: Cluster;
  readonly seed: RunningCommand;
  readonly leech: RunningCommand;
  readonly usualMs: number;
}

let scene: Scene;
let files = 0;

test.before(async () => {
  const cluster = await Cluster.start({ supernodeArgs: ["--no-seeder"] });
  const seed = await cluster.startDaemon("seed");
  const leech = await cluster.startDaemon("leech");
  const bare = { cluster, seed, leech, usualMs: 0 };
  scene = bare;
  const file = await seedFile(bare);
  // the attackers' handshakes must be good, or else most attacks would be none
  await peerIdOf({ port: portOf(seed), infoHash: file.infoHash });
  await transfer(bare, file);
  scene = { ...bare, usualMs: (await transfer(bare, await seedFile(bare))).tookMs };
});

test.after.always(async () => {
  await scene?.cluster[Symbol.asyncDispose]();
});

for (const [name, attack] of Object.entries(ATTACKS)) {
  test.serial(`while peers send ${name}, an honest one gets its file in time, and memory stays bounded`, async (t) => {
    const file = await seedFile(scene);
    const stop = new AbortController();
    const targets = [scene.seed, scene.leech].map(({ ready }) => ({ port: portOf({ ready }), infoHash: file.infoHash }));
    const attacks = targets.map((target) => attack(target, stop.signal));
    try {
      // the attack is under way before the download begins
      await pause(300);
      const { tookMs, sha256 } = await transfer(scene, file);
      t.is(sha256, file.sha256);
      t.true(tookMs <= SLOWER * scene.usualMs + SLACK_MS, `took ${tookMs} ms under attack, ${scene.usualMs} ms without`);
    } finally {
      stop.abort();
      await Promise.all(attacks);
    }
    for (const daemon of [scene.seed, scene.leech]) await checkHealth(t, daemon);
  });
}

/** Answers every announce with 100 MB, as fast as they are taken. */
async function startEndlessTracker(t: ExecutionContext): Promise<{ url: string; sentBytes: () => number }> {
  const megabyte = Buffer.concat([Buffer.from("d5:peers100000000:"), Buffer.alloc(MIB)]);
  let sentBytes = 0;
  const server = createServer((_request, response) => {
    const send = (): void => {
      for (let goesOn = true; goesOn && !response.destroyed; sentBytes += megabyte.length) goesOn = response.write(megabyte);
    };
    response.on("drain", send);
    response.on("error", () => undefined);
    send();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => void server.close());
  t.teardown(() => server.closeAllConnections());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/announce`, sentBytes: () => sentBytes };
}

/** Answers every datagram with noise: half of them with the right transaction. */
async function startNoisyUdpTracker(t: ExecutionContext): Promise<{ url: string; asked: () => number }> {
  const socket = createSocket("udp4");
  let asked = 0;
  socket.on("message", (message, from) => {
    asked++;
    for (let at = 0; at < 50; at++) {
      const noise = randomBytes(1400);
      if (at % 2 === 0) message.copy(noise, 4, 12, 16);
      socket.send(noise.subarray(0, 8 + 28 * at), from.port, from.address);
    }
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.teardown(() => void socket.close());
  return { url: `udp://127.0.0.1:${socket.address().port}/announce`, asked: () => asked };
}

function portOf({ ready }: Pick<RunningCommand, "ready">): number {
  return Number(ready.peer.split(":").at(-1));
}

test.serial("while trackers answer with 100 MB and with noise, a peer's file comes in time, and memory stays bounded", async (t) => {
  const file = await seedFile(scene);
  const endless = await startEndlessTracker(t);
  const noisy = await startNoisyUdpTracker(t);
  const { info } = parseTorrentFile(await readFile(`${file.path}.torrent`));
  await writeFile(`${file.path}.torrent`, torrentFile({ info, trackers: [endless.url, noisy.url] }));
  const { tookMs, sha256 } = await transfer(scene, file);
  t.is(sha256, file.sha256);
  t.true(tookMs <= SLOWER * scene.usualMs + SLACK_MS, `took ${tookMs} ms, ${scene.usualMs} ms without`);
  await until(() => endless.sentBytes() > 0, 20_000);
  await until(() => noisy.asked() > 0, 20_000);
  t.true(endless.sentBytes() < 50 * MIB, `${endless.sentBytes()} bytes were taken`);
  await checkHealth(t, scene.leech);
});

async function seedFile({ cluster }: Scene): Promise<{ path: string; sha256: string; infoHash: InfoHash }> {
  const path = join(cluster.folder, `file-${files}.bin`);
  await writeFile(path, seededBytes(500 + files++, LENGTH));
  const args = ["seed", path, "-o", `${path}.torrent`, "--json", "--home", cluster.home("seed")];
  const result = await runCommand({ command: "dfget", args });
  if (result.exitCode !== 0) throw new Error(result.stdout + result.stderr);
  return { path, sha256: await sha256Of(path), infoHash: lastJson(result).infoHash as unknown as InfoHash };
}

async function transfer({ cluster, seed }: Scene, { path }: { path: string }): Promise<{ tookMs: number; sha256: string }> {
  const startedMs = performance.now();
  const output = `${path}.out`;
  const args = ["add", `${path}.torrent`, "-o", output, "--json", "--peer", seed.ready.peer, "--home", cluster.home("leech")];
  const result = await runCommand({ command: "dfget", args });
  if (result.exitCode !== 0) throw new Error(result.stdout + result.stderr);
  return { tookMs: Math.round(performance.now() - startedMs), sha256: await sha256Of(output) };
}

async function checkHealth(t: ExecutionContext, daemon: RunningCommand): Promise<void> {
  const status = await readFile(`/proc/${daemon.pid}/status`, "utf8");
  const memoryMb = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1000;
  t.true(memoryMb < MOST_MEMORY_MB, `${memoryMb} MB`);
  const { length } = await readdir(`/proc/${daemon.pid}/fd`);
  t.true(length < MOST_FILES, `${length} open files`);
  t.notRegex(daemon.stderr(), /internal error|handling a peer's bytes failed|uncaught/i);
  if (process.env.VERBOSE !== undefined) t.log(`${memoryMb} MB, ${length} files`);
}
