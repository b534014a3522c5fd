/**
 * The `seeder` command: engine, origin, link to the supernode.
 */
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { openHttpOrigin } from "../origin/http-origin.ts";
import { openEngine } from "../peer/engine/engine.ts";
import { formatHostPort, parseHostPort, reachableHost } from "../system/addresses.ts";
import { acquireLock } from "../system/lock-file.ts";
import { LOG_LEVELS, makeLogger } from "../system/logger.ts";
import { type OptionSpec, parseCommand } from "../system/options.ts";
import { printReady } from "../system/ready-line.ts";
import { reportError } from "../system/report-error.ts";
import { handleSignals, onShutdown } from "../system/shutdown.ts";
import { parseRate } from "../system/units.ts";
import { makePeerId } from "../torrents/peer-id.ts";
import { openClusterKey, openSalt } from "./secrets.ts";
import { Seeder } from "./seeder.ts";
import { SupernodeLink } from "./supernode-link.ts";

const LOCK_WAIT_MS = 15_000;

const OPTIONS: readonly OptionSpec[] = [
  { flags: "--supernode <URL>", help: "supernode to serve", default: "http://127.0.0.1:8002" },
  { flags: "--listen <HOST:PORT>", help: "peer port; port 0 takes any free one", default: "0.0.0.0:8001" },
  { flags: "--data <DIR>", help: "folder for contents, key and state", default: join(homedir(), ".skimmer", "seeder") },
  { flags: "--advertise <HOST>", help: "host that peers dial; absent: the address that the supernode sees" },
  { flags: "--cluster-key <FILE>", help: "private key that all seeders of a supernode share; absent: DATA/cluster.key, made when needed" },
  { flags: "--upload-limit <RATE>", help: "bytes per second to peers, such as 50MB; 0 is unlimited", default: 0, parse: parseRate },
  { flags: "--log-level <LEVEL>", help: `one of ${LOG_LEVELS.join(", ")}`, default: "info" },
];

/** Runs until a signal. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    const parsed = await parseCommand(
      { name: "seeder", description: "Fetches origins once and seeds what it fetched to a supernode's swarms.", options: OPTIONS },
      args,
    );
    if (parsed !== undefined) await run(parsed.options as unknown as SeederFlags);
  } catch (error) {
    process.exit(reportError(error, { command: "seeder" }));
  }
}

interface SeederFlags {
  readonly supernode: string;
  readonly listen: string;
  readonly data: string;
  readonly advertise?: string;
  readonly clusterKey?: string;
  readonly uploadLimit: number;
  readonly logLevel: string;
}

async function run(flags: SeederFlags): Promise<void> {
  const logger = makeLogger({ name: "seeder", level: flags.logLevel });
  handleSignals();
  await mkdir(flags.data, { recursive: true, mode: 0o700 });
  const lock = await acquireLock(join(flags.data, "lock"), { waitMs: LOCK_WAIT_MS });
  onShutdown(() => lock[Symbol.asyncDispose]());
  const key = await openClusterKey(flags.clusterKey ?? join(flags.data, "cluster.key"));
  const peerId = makePeerId("seeder", randomBytes(20));
  const engine = await openEngine({
    listen: parseHostPort(flags.listen),
    role: "seeder",
    peerId,
    uploadBytesPerSecond: flags.uploadLimit,
    downloadBytesPerSecond: 0,
    bufferBytes: BUFFER_BYTES,
    logger,
  });
  onShutdown(() => engine[Symbol.asyncDispose]());
  const origin = openHttpOrigin();
  onShutdown(() => origin.close());
  let link: SupernodeLink | undefined;
  const seeder = new Seeder({
    engine,
    origin,
    key,
    salt: await openSalt(flags.data),
    data: flags.data,
    logger,
    onChange: (id, task) => link?.send(task === undefined ? { kind: "gone", task: id } : { kind: "task", task }),
  });
  await seeder.restore();
  onShutdown(() => seeder.close());
  link = new SupernodeLink({
    supernode: flags.supernode,
    key,
    peerId,
    port: engine.address.port,
    advertise: flags.advertise,
    logger,
    seeder,
  });
  onShutdown(() => link?.close());
  void link.run();
  const { host, port } = engine.address;
  printReady("seeder", {
    peer: formatHostPort({ host: reachableHost(host), port }),
    listen: formatHostPort({ host, port }),
    data: flags.data,
  });
}

const BUFFER_BYTES = 128 * 1024 * 1024;
