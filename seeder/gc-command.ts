/**
 * `seeder gc`: has a seeder evict what is least recently used, and remove leftovers. A running one is asked through its
 * supernode; in the data folder of a stopped one the command does so itself, under the folder's lock.
 */
import { access, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { type CacheSize, parseCacheSize } from "../system/cache-size.ts";
import { SkimmerError, toSkimmerError } from "../system/errors.ts";
import { requestJson } from "../system/json-http.ts";
import { acquireLock } from "../system/lock-file.ts";
import { type CommandSpec, parseCommand } from "../system/options.ts";
import { reportError } from "../system/report-error.ts";
import { tokenHeaders } from "../system/supernode-token.ts";
import { formatBytes } from "../system/units.ts";
import { parseApiError, parseGcResult } from "../torrents/parse-link-message.ts";
import type { GcResult } from "../torrents/seeder-link.ts";
import { chooseVictims, quotaOf } from "./room-plan.ts";
import { type CacheFlags, cacheLimitsOf, SEEDER_COMMAND } from "./seeder-command.ts";
import { TaskFiles } from "./task-files.ts";

const REQUEST_LIMIT_MS = 90_000;

/** With the seeder's own options, so that the same configuration file holds. */
const GC_COMMAND: CommandSpec = {
  name: "seeder",
  description: "seeder gc: evicts what is least recently used, neither pinned nor in use, and removes leftovers.",
  options: [
    ...SEEDER_COMMAND.options,
    {
      flags: "--to <SIZE>",
      help: "how much content may stay: bytes such as 10GB, or a share of the file system; absent: the low mark",
      parse: parseCacheSize,
    },
    { flags: "--json", help: "print the result as one JSON line" },
  ],
};

interface GcFlags extends CacheFlags {
  readonly data: string;
  readonly supernode: string;
  readonly token?: string;
  readonly to?: CacheSize;
  readonly json?: boolean;
}

/** Runs `seeder gc`. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    const parsed = await parseCommand(GC_COMMAND, args);
    if (parsed === undefined) return;
    const flags = parsed.options as unknown as GcFlags;
    const result = await collect(flags);
    process.stdout.write(`${flags.json === true ? JSON.stringify({ status: "ok", ...result }) : describe(result)}\n`);
  } catch (error) {
    process.exitCode = reportError(error, { command: "seeder gc", json: args.includes("--json") });
  }
}

async function collect(flags: GcFlags): Promise<GcResult> {
  const limits = cacheLimitsOf(flags);
  await access(flags.data).catch((cause: unknown) => {
    throw new SkimmerError("bad_request", `there is no seeder's data folder ${flags.data}`, { hint: "Name it with --data.", cause });
  });
  try {
    await using _lock = await acquireLock(join(flags.data, "lock"));
    const { blocks, bsize } = await statfs(flags.data);
    const totalBytes = blocks * bsize;
    const target = flags.to === undefined ? quotaOf(limits.size, { totalBytes }) * limits.low : quotaOf(flags.to, { totalBytes });
    return await collectStopped(flags.data, target);
  } catch (error) {
    if (toSkimmerError(error).code !== "already_running") throw error;
    return askSupernode(flags);
  }
}

async function collectStopped(data: string, targetBytes: number): Promise<GcResult> {
  const files = new TaskFiles(join(data, "tasks"));
  const tasks = await Promise.all(
    (await files.loadAll()).map(async ({ stored, lastUsedMs }) => ({
      id: stored.id,
      bytes: await files.storedBytes(stored.id),
      lastUsedMs,
      pinned: stored.pinned,
      active: false,
    })),
  );
  const usedBytes = tasks.reduce((sum, { bytes }) => sum + bytes, 0);
  const victims = chooseVictims(tasks, usedBytes - targetBytes);
  for (const { id } of victims) await files.remove(id);
  const freedBytes = victims.reduce((sum, { bytes }) => sum + bytes, 0);
  await rm(join(data, "spool"), { recursive: true, force: true });
  const leftovers = await files.removeOthers(new Set(tasks.map(({ id }) => id)));
  return { removed: victims.length, freedBytes, leftovers, usedBytes: usedBytes - freedBytes };
}

async function askSupernode(flags: GcFlags): Promise<GcResult> {
  const url = new URL("/api/v1/cache/gc", flags.supernode).href;
  const answer = await requestJson({ url, headers: tokenHeaders(flags.token), body: { to: flags.to }, timeoutMs: REQUEST_LIMIT_MS }).catch(
    (cause: Error) => {
      throw new SkimmerError("no_supernode", `the seeder runs, and its supernode ${flags.supernode} does not answer: ${cause.message}`, {
        hint: "Name its supernode with --supernode, or stop the seeder.",
        cause,
      });
    },
  );
  if (answer.status === 200) return parseGcResult(answer.body);
  const { code, message, hint } = parseApiError((answer.body as { error?: unknown } | undefined)?.error);
  throw new SkimmerError(code as SkimmerError["code"], message, { hint });
}

function describe({ removed, freedBytes, leftovers, usedBytes }: GcResult): string {
  const left = `${formatBytes(usedBytes)} left`;
  return `removed ${removed} tasks (${formatBytes(freedBytes)}) and ${leftovers} leftovers; ${left}`;
}
