/** `dfdaemon`, and `dfget daemon`: one host daemon, until it is told to stop or has been idle. Wiring. */
import { makeLogger } from "../../system/logger.ts";
import { parseCommand } from "../../system/options.ts";
import { printReady } from "../../system/ready-line.ts";
import { reportError } from "../../system/report-error.ts";
import { handleSignals, onShutdown, shutdown } from "../../system/shutdown.ts";
import { Daemon } from "./daemon.ts";
import { DAEMON_COMMAND, readDaemonSettings } from "./daemon-command.ts";

/** Runs the command with these arguments (without program and script). */
export async function main(args: readonly string[]): Promise<void> {
  try {
    const command = await parseCommand(DAEMON_COMMAND, args);
    if (command === undefined) return;
    const settings = readDaemonSettings(command);
    const logger = makeLogger({ name: "dfdaemon", level: settings.logLevel });
    handleSignals();
    // Store, socket and log are the user's alone; outputs get the mode that their caller asks for.
    process.umask(0o077);
    const daemon = await Daemon.start({ ...settings, logger, onStop: () => void shutdown(0) });
    onShutdown(() => daemon[Symbol.asyncDispose]());
    const metrics = settings.metrics && (await (await import("./daemon-metrics.ts")).serveDaemonMetrics(settings.metrics, daemon.figures));
    printReady("dfdaemon", { socket: settings.paths.socket, peer: daemon.peerAddress, home: settings.paths.home, metrics });
  } catch (thrown) {
    process.exitCode = reportError(thrown, { command: "dfdaemon" });
  }
}
