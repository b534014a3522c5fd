/**
 * What a seeder may take from an origin, with real processes: rate, connections over all tasks, and an origin that
 * misbehaves in many ways at once.
 */
import test from "ava";
import { requestJson } from "../../system/json-http.ts";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { type RunningCommand, startCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;

function startSeeder(cluster: Cluster, ...flags: string[]): Promise<RunningCommand> {
  const args = ["--supernode", cluster.url, "--listen", "127.0.0.1:0", "--data", cluster.home("seeder"), "--log-level", "warn"];
  return startCommand({ command: "seeder", args: [...args, ...flags] });
}

async function setUp(daemons: number, flags: readonly string[] = []) {
  await using stack = new AsyncDisposableStack();
  const origin = stack.use(await ScriptedOrigin.start());
  const cluster = stack.use(await Cluster.start({ daemons, supernodeArgs: ["--no-seeder"] }));
  stack.use(await startSeeder(cluster, ...flags));
  const open = stack.move();
  return { origin, cluster, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

test("--origin-limit holds for all tasks together, --origin-connections for each host", async (t) => {
  await using to = await setUp(2, ["--origin-limit", "4MB", "--origin-connections", "3"]);
  const files = [0, 1].map((index) => to.origin.add(`/${index}`, seededBytes(30 + index, 8 * MIB)));
  const startedMs = performance.now();
  const outcomes = await Promise.all(files.map(({ url }, index) => to.cluster.dfget(`h${index}`, url, ["--notbs"])));
  const seconds = (performance.now() - startedMs) / 1000;
  for (const [index, outcome] of outcomes.entries()) {
    t.is(outcome.status, "ok", JSON.stringify(outcome));
    t.is(await sha256Of(to.cluster.output(`h${index}`)), files[index].sha256);
  }
  // 16 MiB at 4 MB/s are 4.19 s
  t.true(seconds > 4.07 && seconds < 7, `${seconds} s`);
  t.true(to.origin.mostAtOnce <= 3, `${to.origin.mostAtOnce} at once`);
});

for (const [how, behaviour] of [
  ["breaks off again and again", { breakAfterBytes: 300_000 }],
  ["stalls once", { stallAfterBytes: 200_000, stallTimes: 1 }],
  ["is busy at first", { status: 503, statusTimes: 2, retryAfter: "0" }],
  ["has no ranges", { noRanges: true }],
  ["tells no length", { chunked: true }],
  ["has only weak validators", { etag: 'W/"weak"' }],
] as const) {
  test(`a swarm gets the right content from an origin that ${how}`, async (t) => {
    await using to = await setUp(1);
    const { url, sha256 } = to.origin.add("/f.bin", seededBytes(40, 4 * MIB), behaviour);
    const outcome = await to.cluster.dfget("h0", url, ["--notbs"]);
    t.is(outcome.status, "ok", JSON.stringify(outcome));
    t.is(await sha256Of(to.cluster.output("h0")), sha256);
  });
}

test("pieces are live while an origin without ranges still sends", async (t) => {
  await using to = await setUp(1);
  to.origin.bytesPerSecond = 4 * MIB;
  const { url, sha256 } = to.origin.add("/f.bin", seededBytes(41, 12 * MIB), { noRanges: true });
  const running = to.cluster.dfget("h0", url, ["--notbs"]);
  const socketPath = `${to.cluster.home("h0")}/dfdaemon.sock`;
  const bytesHave = async (): Promise<number> => {
    const { body } = await requestJson({ url: "http://dfdaemon/v1/tasks", socketPath, timeoutMs: 5_000 });
    return (body as { tasks: { bytesHave: number }[] }).tasks[0]?.bytesHave ?? 0;
  };
  await until(async () => (await bytesHave()) > MIB);
  t.true(to.origin.bytesSent < 10 * MIB, `${to.origin.bytesSent} bytes were sent before the host had the first`);
  t.is((await running).status, "ok");
  t.is(await sha256Of(to.cluster.output("h0")), sha256);
});

test("a file that changes while it is read is never mixed", async (t) => {
  await using to = await setUp(1);
  to.origin.bytesPerSecond = 3 * MIB;
  const { url, file } = to.origin.add("/f.bin", seededBytes(42, 8 * MIB));
  const running = to.cluster.dfget("h0", url);
  await until(() => to.origin.bytesSent > 3 * MIB);
  // overwritten in place: answers under way are mixed, and requests that follow tell, the last question if no other
  file.content = seededBytes(43, 8 * MIB);
  file.etag = '"new"';
  const outcome = await running;
  const fresh = to.origin.add("/fresh", file.content);
  t.true(outcome.status === "ok" || outcome.code === "origin_changed", JSON.stringify(outcome));
  if (outcome.status === "ok") t.is(await sha256Of(to.cluster.output("h0")), fresh.sha256);
  t.like(await to.cluster.dfget("h0", url), { status: "ok" });
  t.is(await sha256Of(to.cluster.output("h0")), fresh.sha256);
});
