/**
 * Supernode and seeder are away: a download that this host knows goes on with peers that it finds by itself, then with the origin.
 * And a standard client that knows the final torrent only finds daemons that are still on the live one.
 */
import test from "ava";
import { parseAnnounceAnswer } from "../../peer/discovery/announce-query.ts";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { beginCommand, lastJson, runCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;
const LENGTH = 24 * MIB;

async function setUp(seed: number, daemonArgs: readonly string[]) {
  await using stack = new AsyncDisposableStack();
  const origin = stack.use(await ScriptedOrigin.start());
  const { url, sha256 } = origin.add("/shared.bin", seededBytes(seed, LENGTH));
  const cluster = stack.use(await Cluster.start({ daemons: 2, daemonArgs }));
  const first = await cluster.dfget("h0", url);
  if (first.status !== "ok") throw new Error(JSON.stringify(first));
  // the second host begins, and is interrupted
  const args = [url, "-o", cluster.output("h1"), "--home", cluster.home("h1"), "--supernode", cluster.url, "--json", "--limit", "2MB"];
  const partial = beginCommand({ command: "dfget", args });
  await until(async () => (await bytesHave(cluster)) > 0, 30_000);
  partial.signal("SIGINT");
  await partial.result;
  await cluster.supernode.stop();
  const open = stack.move();
  return { cluster, origin, url, sha256, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** What the second host has of it. */
async function bytesHave(cluster: Cluster): Promise<number> {
  const listed = lastJson(await runCommand({ command: "dfget", args: ["ls", "--home", cluster.home("h1"), "--json"] }));
  return (listed as unknown as { tasks: { bytesHave: number }[] }).tasks[0]?.bytesHave ?? 0;
}

test("all away: the download goes on with a host of the local network that has it, at an address that nobody knew", async (t) => {
  await using setting = await setUp(31, ["--lsd", "on"]);
  const { cluster, url, origin, sha256 } = setting;
  // another port: what h1 remembers of it is of no use
  await cluster.stopDaemon("h0");
  await cluster.startDaemon("h0");
  await cluster.stopDaemon("h1");
  await cluster.startDaemon("h1");
  const before = origin.bytesSent;
  const outcome = await cluster.dfget("h1", url, ["--notbs"]);
  t.is(outcome.status, "ok", JSON.stringify(outcome));
  t.is(await sha256Of(cluster.output("h1")), sha256);
  const { from } = outcome as unknown as { from: Record<string, number> };
  t.true(from.peers > 0 && from.origin === 0 && from.peers + from.cache === LENGTH, JSON.stringify(from));
  t.is(origin.bytesSent, before);
});

test("all away: peers that were known are dialled first, then the origin is read", async (t) => {
  await using setting = await setUp(32, []);
  const { cluster, url, origin, sha256 } = setting;
  await cluster.stopDaemon("h1");
  await cluster.startDaemon("h1");
  const before = origin.bytesSent;
  const known = await cluster.dfget("h1", url);
  t.is(known.status, "ok", JSON.stringify(known));
  t.is(await sha256Of(cluster.output("h1")), sha256);
  t.is((known as unknown as { from: Record<string, number> }).from.origin, 0, JSON.stringify(known));
  // only the probe's byte
  t.true(origin.bytesSent - before <= 1);
});

test("all away and no peer left: the origin brings the rest", async (t) => {
  await using setting = await setUp(33, ["--lsd", "on"]);
  const { cluster, url, sha256 } = setting;
  await cluster.stopDaemon("h0");
  const outcome = await cluster.dfget("h1", url);
  t.is(outcome.status, "ok", JSON.stringify(outcome));
  t.is(await sha256Of(cluster.output("h1")), sha256);
  const { from } = outcome as unknown as { from: Record<string, number> };
  t.true(from.origin > 0 && from.origin + from.cache === LENGTH, JSON.stringify(outcome));
});

test("a standard client that knows the final torrent only is told of a daemon that is still on the live one", async (t) => {
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 8 * MIB });
  const { url, sha256 } = origin.add("/shared.bin", seededBytes(34, LENGTH));
  await using cluster = await Cluster.start();
  const daemon = await cluster.startDaemon("h1");
  const download = cluster.dfget("h1", url);
  await until(async () => (await bytesHave(cluster)) > 0, 30_000);
  // it cannot hear of the final torrents now
  process.kill(daemon.pid, "SIGSTOP");
  const infoHash = await until(async () => (await onlyTask(cluster)).infoHashV1 !== undefined, 60_000).then(
    async () => (await onlyTask(cluster)).infoHashV1 as string,
  );
  const query = `info_hash=${infoHash.replace(/../g, "%$&")}&peer_id=-TR4000-abcdefghijkl&port=5&uploaded=0&downloaded=0&left=1&compact=1`;
  const answer = parseAnnounceAnswer(Buffer.from(await (await fetch(`${cluster.url}/announce?${query}`)).arrayBuffer()));
  const ports = answer.peers.map(({ port }) => port);
  process.kill(daemon.pid, "SIGCONT");
  t.true(ports.includes(Number(daemon.ready.peer.split(":").at(-1))), JSON.stringify({ ports, daemon: daemon.ready }));
  t.is((await download).status, "ok");
  t.is(await sha256Of(cluster.output("h1")), sha256);
});

async function onlyTask(cluster: Cluster): Promise<{ infoHashV1?: string }> {
  return ((await (await fetch(`${cluster.url}/api/v1/tasks`)).json()) as { tasks: { infoHashV1?: string }[] }).tasks[0] ?? {};
}
