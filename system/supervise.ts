/**
 * Child commands: started through their launcher, ready when their JSON line is there, ended with us.
 * The child's standard input is a pipe that nobody writes to: it closes when we die, however we die, and
 * handleSignals() in the child ends it then.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { SkimmerError } from "./errors.ts";

const READY_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 9000;
const MOST_LINE_BYTES = 64 * 1024;

export type CommandName = "dfget" | "dfdaemon" | "supernode" | "seeder";

export interface Child {
  readonly process: ChildProcess;
  /** Fields of its ready line. */
  readonly ready: Readonly<Record<string, unknown>>;
  readonly exited: Promise<void>;
  /** SIGTERM, and SIGKILL when it does not end in time. */
  stop(): Promise<void>;
}

/** Absolute path of a command's launcher, in the checkout and in the installed package alike. */
export function launcherOf(name: CommandName): string {
  const up = import.meta.url.includes("/dist/system/") ? "../../bin/" : "../bin/";
  return fileURLToPath(new URL(`${up}${name}.js`, import.meta.url));
}

/** Starts a command and waits for its ready line. Rejects where it ends, or says nothing, before that. */
export async function startChild(name: CommandName, args: readonly string[]): Promise<Child> {
  const child = spawn(process.execPath, [launcherOf(name), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, SKIMMER_PARENT_PIPE: "1" },
  });
  const exited = once(child, "exit").then(() => undefined);
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
    await exited;
    clearTimeout(kill);
  };
  try {
    const ready = await readReadyLine(child, exited, name);
    return { process: child, ready, exited, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function readReadyLine(child: ChildProcess, exited: Promise<void>, name: string): Promise<Record<string, unknown>> {
  const failed = (why: string): SkimmerError =>
    new SkimmerError("internal", `${name} did not start: ${why}`, { hint: "Its log on standard error says more." });
  const line = new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
      else if (text.length > MOST_LINE_BYTES) reject(failed("its first line is too long"));
    });
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(failed("no ready line in time")), READY_LIMIT_MS);
  });
  try {
    return JSON.parse(await Promise.race([line, late, exited.then(() => Promise.reject(failed("it ended")))])) as Record<string, unknown>;
  } finally {
    clearTimeout(timer);
  }
}
