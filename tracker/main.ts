/**
 * The `supernode` command: the supernode, and a seeder as its child.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { formatHostPort, parseHostPort, reachableHost } from "../system/addresses.ts";
import { acquireLock } from "../system/lock-file.ts";
import { type Logger, makeLogger } from "../system/logger.ts";
import { parseCommand } from "../system/options.ts";
import { readReach } from "../system/reach-options.ts";
import { printReady } from "../system/ready-line.ts";
import { reportError } from "../system/report-error.ts";
import { handleSignals, onShutdown } from "../system/shutdown.ts";
import { ChildSeeder } from "./child-seeder.ts";
import { openSupernode, type Supernode } from "./supernode.ts";
import { accessOf, childArgs, readCredentials, readNetworks, SUPERNODE_COMMAND, type SupernodeFlags } from "./supernode-command.ts";

const SEEDER_LINK_LIMIT_MS = 15_000;

/** Runs until a signal. */
export async function main(args: readonly string[]): Promise<void> {
  if (args[0] === "token") return (await import("./access/token-command.ts")).main(args.slice(1));
  if (args[0] === "cache") return (await import("./cache-command.ts")).main(args.slice(1));
  try {
    const parsed = await parseCommand(SUPERNODE_COMMAND, args);
    if (parsed !== undefined) await run(parsed.options as unknown as SupernodeFlags);
  } catch (error) {
    process.exit(reportError(error, { command: "supernode" }));
  }
}

async function run(flags: SupernodeFlags): Promise<void> {
  const logger = makeLogger({ name: "supernode", level: flags.logLevel });
  handleSignals();
  await mkdir(flags.data, { recursive: true, mode: 0o700 });
  const lock = await acquireLock(join(flags.data, "lock"));
  onShutdown(() => lock[Symbol.asyncDispose]());
  const { listen, data, advertise, announceInterval: announceIntervalMs, openTracker = false } = flags;
  const supernode = await openSupernode({
    listen: parseHostPort(listen),
    data,
    advertise,
    openTracker,
    announceIntervalMs,
    expectsSeeder: flags.seeder,
    networks: await readNetworks(flags),
    credentials: await readCredentials(flags),
    access: accessOf(flags),
    webhooks: { secret: flags.webhookSecret, registry: flags.webhookRegistry },
    reach: readReach(flags),
    tls: { caFile: flags.originCa, insecure: flags.originInsecure },
    logger,
  });
  onShutdown(() => supernode[Symbol.asyncDispose]());
  const child = flags.seeder ? await startSeeder(supernode, flags, logger) : undefined;
  const [seeder, seederMetrics] = [child?.peer ?? null, child?.metrics];
  const reachable = formatHostPort({ host: reachableHost(supernode.host), port: supernode.port });
  printReady("supernode", {
    http: `http://${reachable}`,
    udp: `udp://${reachable}`,
    listen: formatHostPort(supernode),
    seeder,
    seederMetrics,
    hostsToken: supernode.hostsToken,
    data,
  });
}

/** Starts the child and waits until it is linked; answers its ready line. */
async function startSeeder(supernode: Supernode, flags: SupernodeFlags, logger: Logger): Promise<Readonly<Record<string, unknown>>> {
  const url = `http://${formatHostPort({ host: reachableHost(supernode.host), port: supernode.port })}`;
  const child = new ChildSeeder({ args: childArgs(flags, url), token: supernode.seederToken, logger });
  onShutdown(() => child[Symbol.asyncDispose]());
  const { ready } = await child.start();
  if (!(await supernode.seeders.waitForSeeder(SEEDER_LINK_LIMIT_MS))) logger.warn({}, "the seeder has not linked yet");
  return ready;
}
