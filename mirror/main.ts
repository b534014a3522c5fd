/** `dfdaemon`, and `dfget daemon`: one host daemon with its mirror, until it is told to stop or has been idle. Wiring. */
import { Daemon } from "../peer/daemon/daemon.ts";
import { DAEMON_COMMAND, readDaemonSettings } from "../peer/daemon/daemon-command.ts";
import { makeLogger } from "../system/logger.ts";
import { type CommandSpec, parseCommand } from "../system/options.ts";
import { printReady } from "../system/ready-line.ts";
import { reportError } from "../system/report-error.ts";
import { handleSignals, onShutdown, shutdown } from "../system/shutdown.ts";
import { MIRROR_OPTIONS, readMirrorSettings } from "./mirror-options.ts";

export const DFDAEMON_COMMAND: CommandSpec = { ...DAEMON_COMMAND, options: [...DAEMON_COMMAND.options, ...MIRROR_OPTIONS] };

/** Runs the command with these arguments (without program and script). */
export async function main(args: readonly string[]): Promise<void> {
  const [name = "", ...rest] = args;
  try {
    if (name === "ca") process.exitCode = await (await import("./proxy/ca-command.ts")).caCommand(rest);
    else if (name === "setup") process.exitCode = await (await import("./setup/setup-command.ts")).setupCommand(rest);
    else await run(args);
  } catch (thrown) {
    process.exitCode = reportError(thrown, { command: "dfdaemon" });
    // a daemon that has begun already ends in good order
    await shutdown(process.exitCode);
  }
}

async function run(args: readonly string[]): Promise<void> {
  const command = await parseCommand(DFDAEMON_COMMAND, args);
  if (command === undefined) return;
  const settings = readDaemonSettings(command);
  const wanted = await readMirrorSettings(command.options);
  const logger = makeLogger({ name: "dfdaemon", level: settings.logLevel });
  handleSignals();
  // Store, socket and log are the user's alone; outputs get the mode that their caller asks for.
  process.umask(0o077);
  const { home, socket } = settings.paths;
  const daemon = await Daemon.start({ ...settings, logger, onStop: () => void shutdown(0) });
  onShutdown(() => daemon[Symbol.asyncDispose]());
  const metrics =
    settings.metrics && (await (await import("../peer/daemon/daemon-metrics.ts")).serveDaemonMetrics(settings.metrics, daemon.figures));
  let mirror: string | undefined;
  if (wanted !== undefined) {
    const { Mirror } = await import("./mirror.ts");
    const tls = { caFile: settings.origin.http?.caFile, insecure: settings.origin.http?.insecure };
    const started = await Mirror.start({ settings: wanted, source: daemon, home, tls, logger });
    onShutdown(() => started[Symbol.asyncDispose]());
    mirror = started.url;
    daemon.noteMirror(mirror);
  }
  printReady("dfdaemon", { socket, peer: daemon.peerAddress, home, metrics, mirror });
}
