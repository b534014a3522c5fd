/**
 * The `supernode` command: the supernode, and a seeder as its child.
 */
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { formatHostPort, parseHostPort, reachableHost } from "../system/addresses.ts";
import { acquireLock } from "../system/lock-file.ts";
import { LOG_LEVELS, type Logger, makeLogger } from "../system/logger.ts";
import { type OptionSpec, parseCommand } from "../system/options.ts";
import { printReady } from "../system/ready-line.ts";
import { reportError } from "../system/report-error.ts";
import { handleSignals, onShutdown } from "../system/shutdown.ts";
import { parseDuration } from "../system/units.ts";
import { ChildSeeder } from "./child-seeder.ts";
import { openSupernode, type Supernode } from "./supernode.ts";

const SEEDER_LINK_LIMIT_MS = 15_000;

const OPTIONS: readonly OptionSpec[] = [
  { flags: "--listen <HOST:PORT>", help: "HTTP API, HTTP, WebSocket and UDP tracker; port 0 takes any free one", default: "0.0.0.0:8002" },
  { flags: "--data <DIR>", help: "folder for state, and for the seeder's contents", default: join(homedir(), ".skimmer", "supernode") },
  { flags: "--no-seeder", help: "start no seeder; others link with: seeder --supernode URL" },
  { flags: "--seeder-listen <HOST:PORT>", help: "the own seeder's peer port; port 0 takes any free one", default: "0.0.0.0:8001" },
  { flags: "--advertise <HOST>", help: "host in tracker URLs and of the own seeder; absent: the one that callers use" },
  { flags: "--open-tracker", help: "track any info hash, not only those of this supernode's tasks" },
  {
    flags: "--announce-interval <DURATION>",
    help: "how often peers should announce, such as 60s",
    default: 60_000,
    defaultText: "60s",
    parse: parseDuration,
  },
  { flags: "--log-level <LEVEL>", help: `one of ${LOG_LEVELS.join(", ")}`, default: "info" },
];

interface SupernodeFlags {
  readonly listen: string;
  readonly data: string;
  readonly seeder: boolean;
  readonly seederListen: string;
  readonly advertise?: string;
  readonly openTracker?: boolean;
  readonly announceInterval: number;
  readonly logLevel: string;
}

/** Runs until a signal. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    const parsed = await parseCommand(
      { name: "supernode", description: "Tracker and scheduler: makes torrents from URLs and brings peers together.", options: OPTIONS },
      args,
    );
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
    logger,
  });
  onShutdown(() => supernode[Symbol.asyncDispose]());
  const seeder = flags.seeder ? await startSeeder(supernode, flags, logger) : null;
  const reachable = formatHostPort({ host: reachableHost(supernode.host), port: supernode.port });
  printReady("supernode", { http: `http://${reachable}`, udp: `udp://${reachable}`, listen: formatHostPort(supernode), seeder, data });
}

/** Starts the child and waits until it is linked; answers its peer address. */
async function startSeeder(supernode: Supernode, flags: SupernodeFlags, logger: Logger): Promise<unknown> {
  const url = `http://${formatHostPort({ host: reachableHost(supernode.host), port: supernode.port })}`;
  const args = ["--supernode", url, "--listen", flags.seederListen, "--data", join(flags.data, "seeder"), "--log-level", flags.logLevel];
  const child = new ChildSeeder({ args: flags.advertise === undefined ? args : [...args, "--advertise", flags.advertise], logger });
  onShutdown(() => child[Symbol.asyncDispose]());
  const { ready } = await child.start();
  if (!(await supernode.seeders.waitForSeeder(SEEDER_LINK_LIMIT_MS))) logger.warn({}, "the seeder has not linked yet");
  return ready.peer;
}
