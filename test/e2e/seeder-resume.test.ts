/**
 * The seeder killed over and over during one fetch: what it had verified stays, the origin sends only what is missing,
 * and the swarm goes on.
 */
import { globSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { callApi } from "../support/api.ts";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { beginCommand, lastJson, type RunningCommand, startCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";
import { seededRandom } from "../support/seeded-random.ts";

const MIB = 1024 * 1024;
const LENGTH = 200_000_000;
const KILLS = 50;
/** Fetched before each kill: up to so much, so that the last kill still comes before the end. */
const MOST_RUN_BYTES = 4_000_000;
const RUN_LIMIT_MS = 1500;
/** Every so many kills come while the seeder starts. */
const EARLY_KILL_EVERY = 5;
const MOST_START_MS = 500;

/** Content in the host's store. */
function storedBytes(home: string): number {
  const files = globSync("**/data", { cwd: home }).map((path) => statSync(join(home, path)));
  return files.reduce((sum, { blocks }) => sum + blocks * 512, 0);
}

test(`${KILLS} kills of the seeder during one fetch: right content, and little more than one copy from the origin`, async (t) => {
  const seed = Date.now() % 100_000;
  t.log(`seed ${seed}`);
  const random = seededRandom(seed);
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: 30_000_000 });
  const { url, sha256, file } = origin.add("/big.bin", seededBytes(41, LENGTH));
  await using cluster = await Cluster.start({ daemons: 1, supernodeArgs: ["--no-seeder"] });
  const args = ["--supernode", cluster.url, "--data", cluster.home("seeder"), "--log-level", "error", "--listen"];
  let seeder: RunningCommand = await startCommand({ command: "seeder", args: [...args, "127.0.0.1:0"] });
  const again = [...args, seeder.ready.listen];
  t.teardown(() => seeder.stop());
  const { body: task } = await callApi(`${cluster.url}/api/v1/tasks`, { body: { url, headers: {} } });
  t.is(task.state, "live", JSON.stringify(task));
  const common = ["--home", cluster.home("h0"), "--supernode", cluster.url, "--json", "--notbs"];
  const download = () => beginCommand({ command: "dfget", args: [url, "-o", cluster.output("h0"), ...common], timeoutMs: 120_000 });
  const begun = download();
  // on the host's disk, in the middle of the fetch
  await until(() => storedBytes(cluster.home("h0")) > MIB);
  begun.signal("SIGINT");
  t.is((await begun.result).exitCode, 130);
  for (let kill = 1; kill <= KILLS; kill++) {
    const goal = origin.bytesSent + random() * MOST_RUN_BYTES;
    await until(() => origin.bytesSent >= goal, RUN_LIMIT_MS).catch(() => undefined);
    await seeder.stop("SIGKILL");
    if (kill % EARLY_KILL_EVERY === 0 && kill < KILLS) {
      kill++;
      const starting = beginCommand({ command: "seeder", args: again });
      setTimeout(() => starting.signal("SIGKILL"), random() * MOST_START_MS);
      await starting.result;
    }
    seeder = await startCommand({ command: "seeder", args: again });
  }
  const goingOn = download();
  const state = async () => (await callApi(`${cluster.url}/api/v1/tasks/${task.id}`)).body.state;
  t.is(await state(), "live", "the last kill came during the fetch");
  await until(async () => (await state()) === "final", 60_000);
  const extra = origin.bytesSent - LENGTH;
  const perKill = extra / KILLS / task.pieceLengthBytes;
  t.log(`origin sent ${(origin.bytesSent / LENGTH).toFixed(3)} copies: ${perKill.toFixed(1)} pieces more for each kill`);
  // 4 connections, each with one piece being filled and up to 4 being hashed and signed
  t.true(extra <= KILLS * 20 * task.pieceLengthBytes, `${extra} bytes too many`);
  const resumed = origin.requests.filter(({ range }) => range !== undefined && range !== "bytes=0-0").slice(-4);
  for (const { headers } of resumed) t.is(headers["if-range"], file.etag);
  const result = await goingOn.result;
  const outcome = lastJson(result);
  t.is(outcome.status, "ok", `${result.stdout}${result.stderr}`);
  t.is(outcome.from.origin, 0);
  t.true(outcome.from.cache > 0, "what the host had of it before the kills is good after them");
  t.is(await sha256Of(cluster.output("h0")), sha256);
});
