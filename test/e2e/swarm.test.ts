/**
 * One file from one origin to many hosts, with real processes on loopback.
 */
import test from "ava";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { startCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;

test("one daemon gets a file through the swarm, and a second download takes nothing from the network", async (t) => {
  await using origin = await ScriptedOrigin.start();
  const { url, sha256 } = origin.add("/f.bin", seededBytes(1, 64 * MIB));
  await using cluster = await Cluster.start({ daemons: 1 });
  const first = await cluster.dfget("h0", url, ["--digest", `sha256:${sha256}`]);
  t.is(first.status, "ok", JSON.stringify(first));
  t.is(await sha256Of(cluster.output("h0")), sha256);
  t.deepEqual(first.from, { origin: 0, seeder: 64 * MIB, peers: 0, cache: 0 });
  t.true(origin.bytesSent <= 1.02 * 64 * MIB, `origin sent ${origin.bytesSent}`);
  const second = await cluster.dfget("h0", url);
  t.deepEqual(second.from, { origin: 0, seeder: 0, peers: 0, cache: 64 * MIB });
  t.true(origin.bytesSent <= 1.02 * 64 * MIB);
});

test("eight daemons at once: one copy from the origin, little more from the seeder", async (t) => {
  await using origin = await ScriptedOrigin.start();
  const { url, sha256 } = origin.add("/f.bin", seededBytes(2, 64 * MIB));
  await using cluster = await Cluster.start({ daemons: 8 });
  const outcomes = await Promise.all(Array.from({ length: 8 }, (_, index) => cluster.dfget(`h${index}`, url)));
  for (const [index, outcome] of outcomes.entries()) {
    t.is(outcome.status, "ok", JSON.stringify(outcome));
    t.is(await sha256Of(cluster.output(`h${index}`)), sha256);
    t.is(outcome.from.origin, 0);
  }
  const fromSeeder = outcomes.reduce((sum, outcome) => sum + outcome.from.seeder, 0);
  t.log(`seeder copies ${(fromSeeder / (64 * MIB)).toFixed(2)}, origin copies ${(origin.bytesSent / (64 * MIB)).toFixed(3)}`);
  t.true(origin.bytesSent <= 1.02 * 64 * MIB, `origin sent ${origin.bytesSent}`);
  t.true(fromSeeder <= 2.5 * 64 * MIB, `seeder sent ${fromSeeder}`);
});

test("a late daemon gets most from peers when the seeder is limited", async (t) => {
  await using origin = await ScriptedOrigin.start();
  const { url, sha256 } = origin.add("/f.bin", seededBytes(3, 32 * MIB));
  await using cluster = await Cluster.start({ daemons: 3, supernodeArgs: ["--no-seeder"] });
  const args = ["--supernode", cluster.url, "--listen", "127.0.0.1:0", "--data", cluster.home("seeder"), "--upload-limit", "16MB"];
  cluster.use(await startCommand({ command: "seeder", args: [...args, "--log-level", "warn"] }));
  await Promise.all([cluster.dfget("h0", url), cluster.dfget("h1", url)]);
  const late = await cluster.dfget("h2", url);
  t.is(late.status, "ok", JSON.stringify(late));
  t.is(await sha256Of(cluster.output("h2")), sha256);
  t.true(late.from.peers >= 0.9 * 32 * MIB, JSON.stringify(late.from));
});

test("a download survives the supernode's death, and the supernode comes back with its tasks", async (t) => {
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 16 * MIB });
  const { url, sha256, file } = origin.add("/f.bin", seededBytes(4, 48 * MIB));
  await using cluster = await Cluster.start({ daemons: 3 });
  const running = [cluster.dfget("h0", url), cluster.dfget("h1", url)];
  await until(() => origin.bytesSent > 8 * MIB);
  await cluster.supernode.stop("SIGKILL");
  for (const outcome of await Promise.all(running)) t.is(outcome.status, "ok", JSON.stringify(outcome));
  t.is(await sha256Of(cluster.output("h0")), sha256);
  t.is(await sha256Of(cluster.output("h1")), sha256);
  await cluster.restartSupernode();
  const late = await cluster.dfget("h2", url);
  t.is(late.status, "ok", JSON.stringify(late));
  t.is(await sha256Of(cluster.output("h2")), sha256);
  t.truthy(file);
});

test("the seeder goes on after kill -9 with what it had", async (t) => {
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 24 * MIB });
  const { url, sha256 } = origin.add("/f.bin", seededBytes(5, 48 * MIB));
  await using cluster = await Cluster.start({ daemons: 1, supernodeArgs: ["--no-seeder"] });
  const args = ["--supernode", cluster.url, "--listen", "127.0.0.1:0", "--data", cluster.home("seeder"), "--log-level", "warn"];
  const first = await startCommand({ command: "seeder", args });
  const running = cluster.dfget("h0", url, ["--notbs"]);
  await until(() => origin.bytesSent > 16 * MIB);
  await first.stop("SIGKILL");
  cluster.use(await startCommand({ command: "seeder", args }));
  const outcome = await running;
  t.is(outcome.status, "ok", JSON.stringify(outcome));
  t.is(await sha256Of(cluster.output("h0")), sha256);
  // pieces in flight at the kill: four connections, a few pieces each
  t.true(origin.bytesSent <= 48 * MIB + 12 * MIB, `origin sent ${origin.bytesSent}`);
});

test("final torrents: 409 while live, the same from two supernodes, v1 and v2", async (t) => {
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 4 * MIB });
  const { url } = origin.add("/name.bin", seededBytes(6, 4 * MIB));
  await using one = await Cluster.start();
  await using two = await Cluster.start();
  const register = async (base: string) =>
    (await (await fetch(`${base}/api/v1/tasks`, { method: "POST", body: JSON.stringify({ url }) })).json()) as { id: string };
  const [taskOne, taskTwo] = await Promise.all([register(one.url), register(two.url)]);
  const early = await fetch(`${one.url}/api/v1/tasks/${taskOne.id}/torrent`);
  t.is(early.status, 409);
  t.truthy(early.headers.get("retry-after"));
  const summary = async (base: string, id: string) => (await (await fetch(`${base}/api/v1/tasks/${id}`)).json()) as Record<string, string>;
  await until(
    async () => (await summary(one.url, taskOne.id)).state === "final" && (await summary(two.url, taskTwo.id)).state === "final",
    20_000,
  );
  const [a, b] = [await summary(one.url, taskOne.id), await summary(two.url, taskTwo.id)];
  t.is(a.infoHashV1, b.infoHashV1);
  t.is(a.infoHashV2, b.infoHashV2);
  t.not(a.infoHash, b.infoHash);
  const magnet = await (await fetch(`${one.url}/api/v1/tasks/${a.infoHashV1}/magnet`)).text();
  t.true(magnet.startsWith(`magnet:?xt=urn:btih:${a.infoHashV1}`));
});

test("SIGTERM ends supernode, seeder and daemon cleanly", async (t) => {
  const cluster = await Cluster.start();
  const daemon = await startCommand({
    command: "dfdaemon",
    args: ["--home", cluster.home("h"), "--supernode", cluster.url, "--peer-listen", "127.0.0.1:0"],
  });
  const seederPort = Number(cluster.supernode.ready.seeder.split(":")[1]);
  t.is(await daemon.stop(), 0, daemon.stderr());
  t.is(await cluster.supernode.stop(), 0, cluster.supernode.stderr());
  await t.throwsAsync(fetch(`http://127.0.0.1:${seederPort}/`));
  await t.throwsAsync(fetch(`${cluster.url}/healthz`));
  await cluster[Symbol.asyncDispose]();
});
