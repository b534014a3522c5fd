/**
 * `npm start`: supernode, seeder and host daemon on this machine, as children of one process.
 */
import { parseCommand } from "../system/options.ts";
import { reportError } from "../system/report-error.ts";
import { handleSignals, onShutdown, shutdown } from "../system/shutdown.ts";
import { startChild } from "../system/supervise.ts";

/** Starts all, prints their ready lines, and runs until a signal or until one of them ends. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    const parsed = await parseCommand(
      {
        name: "start",
        description: "Runs supernode, seeder and host daemon on this machine, with their default ports and folders.",
        options: [],
      },
      args,
    );
    if (parsed === undefined) return;
    handleSignals();
    const supernode = await startChild("supernode", []);
    onShutdown(() => supernode.stop());
    process.stdout.write(`${JSON.stringify(supernode.ready)}\n`);
    // dfget may have started one that knows no supernode
    const daemon = await startChild("dfdaemon", ["--take-over", "--supernode", String(supernode.ready.http)], tokenFor(supernode.ready));
    onShutdown(() => daemon.stop());
    process.stdout.write(`${JSON.stringify(daemon.ready)}\n`);
    await Promise.race([supernode.exited, daemon.exited]);
    await shutdown(1);
  } catch (error) {
    process.exitCode = reportError(error, { command: "start" });
    await shutdown(process.exitCode);
  }
}

/** Needed where the supernode listens on an address of its own only. */
function tokenFor({ hostsToken }: Readonly<Record<string, unknown>>): Record<string, string> {
  return typeof hostsToken === "string" && process.env.SKIMMER_TOKEN === undefined ? { SKIMMER_TOKEN: `@${hostsToken}` } : {};
}
