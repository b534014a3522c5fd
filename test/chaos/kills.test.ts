/**
 * Twenty downloads while daemons, supernode and seeder are killed at random, one every second, and started again.
 * Every dfget ends right, or with a clear error and a state from which the same command goes on; never with wrong bytes.
 * The seed of the dice is printed; CHAOS_SEED=N throws them again.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { EXIT_CODES } from "../../system/exit-codes.ts";
import { sha256Of } from "../support/cluster.ts";
import { temporaryFolder } from "../support/folders.ts";
import {
  type CommandResult,
  freePort,
  lastJson,
  type RunningCommand,
  runCommand,
  startCommand,
  stopDaemonOf,
} from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";
import { seededRandom } from "../support/seeded-random.ts";

const MIB = 1024 * 1024;
const HOMES = 4;
const FILES = 5;
const FILE_BYTES = 12 * MIB;
const ORIGIN_BYTES_PER_SECOND = 3 * MIB;
const KILL_EVERY_MS = 1_000;
const KILL_FOR_MS = 30_000;
const DOWNLOAD_LIMIT = "60s";
/** With everything up again. */
const SECOND_LIMIT = "40s";
/** Failures that a user may see; each tells that the same command goes on where this one stopped. */
const CLEAR_FAILURES: ReadonlySet<unknown> = new Set([
  "timeout",
  "no_progress",
  "daemon_unreachable",
  "no_supernode",
  "no_seeder",
  "cancelled",
  "busy",
]);

interface Wish {
  readonly url: string;
  readonly sha256: string;
  readonly home: string;
  readonly output: string;
  /** Some may not read the origin. */
  readonly args: readonly string[];
}

/** A command that is started again after each kill, on the same port and folder. */
class Victim implements AsyncDisposable {
  readonly #start: () => Promise<RunningCommand>;
  #running: RunningCommand | undefined;
  #starting: Promise<void> = Promise.resolve();
  kills = 0;

  private constructor(start: () => Promise<RunningCommand>) {
    this.#start = start;
  }

  static async start(start: () => Promise<RunningCommand>): Promise<Victim> {
    const victim = new Victim(start);
    victim.#running = await start();
    return victim;
  }

  /** False while it is not up. */
  kill(): boolean {
    const running = this.#running;
    if (running === undefined) return false;
    this.#running = undefined;
    this.kills++;
    this.#starting = running.stop("SIGKILL").then(async () => {
      this.#running = await this.#start();
    });
    this.#starting.catch(() => undefined);
    return true;
  }

  /** Resolves when it is up. */
  up(): Promise<void> {
    return this.#starting;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#starting.catch(() => undefined);
    await this.#running?.stop();
  }
}

test("20 downloads survive daemons, supernode and seeder being killed every second", async (t) => {
  const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.log(`CHAOS_SEED=${seed}`);
  const random = seededRandom(seed);
  await using folder = await temporaryFolder();
  await using origin = await ScriptedOrigin.start({ bytesPerSecond: ORIGIN_BYTES_PER_SECOND });
  const listen = `127.0.0.1:${await freePort()}`;
  const url = `http://${listen}`;
  const quiet = ["--log-level", "error"];
  await using supernode = await Victim.start(() =>
    startCommand({ command: "supernode", args: ["--listen", listen, "--no-seeder", "--data", join(folder.path, "supernode"), ...quiet] }),
  );
  const seederPort = await freePort();
  await using seeder = await Victim.start(() =>
    startCommand({
      command: "seeder",
      args: ["--supernode", url, "--listen", `127.0.0.1:${seederPort}`, "--data", join(folder.path, "seeder"), ...quiet],
    }),
  );
  const homes = Array.from({ length: HOMES }, (_, index) => join(folder.path, `home${index}`));
  await using _ = { [Symbol.asyncDispose]: async () => void (await Promise.all(homes.map((home) => stopDaemonOf(home)))) };
  const wishes = makeWishes(origin, homes, url);
  const running = wishes.map((wish) => dfget(wish, DOWNLOAD_LIMIT));
  const all = Promise.all(running);
  const deadlineMs = performance.now() + KILL_FOR_MS;
  const over = Promise.withResolvers<void>();
  void all.then(() => over.resolve());
  let daemonKills = 0;
  while (performance.now() < deadlineMs) {
    if (await Promise.race([over.promise.then(() => true), sleep(KILL_EVERY_MS, false)])) break;
    const roll = random();
    if (roll < 0.25 && supernode.kill()) continue;
    if (roll < 0.5 && seeder.kill()) continue;
    daemonKills++;
    await stopDaemonOf(homes[Math.floor(random() * HOMES)], "SIGKILL");
  }
  const results = await all;
  t.log({ supernodeKills: supernode.kills, seederKills: seeder.kills, daemonKills });
  await Promise.all([supernode.up(), seeder.up()]);
  const failed = await checkFirst(t, wishes, results);
  t.log({ done: wishes.length - failed.length, failed: failed.length });
  t.true(failed.length <= wishes.length / 2, "most get through");
  const again = await Promise.all(failed.map((wish) => dfget(wish, SECOND_LIMIT)));
  for (const [index, result] of again.entries()) {
    t.is(result.exitCode, 0, `the second run of ${failed[index].url}: ${result.stdout.split("\n").at(-2)} ${result.stderr}`);
    t.is(await sha256Of(failed[index].output), failed[index].sha256);
  }
});

/** Right, or a clear failure with nothing at the output. Answers those that failed. */
async function checkFirst(t: ExecutionContext, wishes: readonly Wish[], results: readonly CommandResult[]): Promise<Wish[]> {
  const failed: Wish[] = [];
  for (const [index, wish] of wishes.entries()) {
    const result = results[index];
    if (result.exitCode === 0) {
      t.is(await sha256Of(wish.output), wish.sha256, `${wish.url} came out wrong`);
      continue;
    }
    failed.push(wish);
    const error = lastJson(result);
    t.log(wish.args.join(" "), error.code, error.message);
    t.like(error, { event: "error", status: "error" }, result.stderr);
    t.true(CLEAR_FAILURES.has(error.code), JSON.stringify(error));
    t.is(result.exitCode, EXIT_CODES[error.code as keyof typeof EXIT_CODES]);
    t.false(existsSync(wish.output), "nothing is at the output of a download that failed");
  }
  return failed;
}

function makeWishes(origin: ScriptedOrigin, homes: readonly string[], supernode: string): Wish[] {
  return Array.from({ length: FILES }, (_, number) => origin.add(`/file${number}.bin`, seededBytes(number + 1, FILE_BYTES))).flatMap(
    ({ url, sha256 }, number) =>
      homes.map((home, index) => ({
        url,
        sha256,
        home,
        output: join(home, "..", `out-${number}-${index}`),
        args: ["--supernode", supernode, ...(index % 2 === 1 ? ["--notbs"] : [])],
      })),
  );
}

function dfget({ url, output, home, args }: Wish, limit: string): Promise<CommandResult> {
  return runCommand({
    command: "dfget",
    args: [url, "-o", output, "--home", home, "--ip", "127.0.0.1", "--port", "0", "--json", "-e", limit, ...args],
    timeoutMs: 90_000,
  });
}
