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
const MOST_LINE_LENGTH = 64 * 1024;

export type CommandName = "dfget" | "dfdaemon" | "supernode" | "seeder";

export interface Child {
  readonly process: ChildProcess;
  /** Fields of its ready line. */
  readonly ready: Readonly<Record<string, unknown>>;
  readonly exited: Promise<void>;
  /** SIGTERM, and SIGKILL when it does not end in time. */
  stop(): Promise<void>;
}

/** Absolute path of a command's launcher: one folder up in the checkout, two in the package (dist/). */
export function launcherOf(name: CommandName): string {
  const up = import.meta.url.endsWith(".ts") ? "../bin/" : "../../bin/";
  return fileURLToPath(new URL(`${up}${name}.js`, import.meta.url));
}

/** Starts a command, with further variables, and waits for its ready line. Rejects where it ends, or says nothing, before that. */
export async function startChild(
  name: CommandName,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<Child> {
  const child = spawn(process.execPath, [launcherOf(name), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...variables, SKIMMER_PARENT_PIPE: "1" },
  });
  const exited = once(child, "close").then(
    () => undefined,
    () => undefined, // it could not even be started; readReadyLine() tells
  );
  const stop = async (): Promise<void> => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
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
  const ready = Promise.withResolvers<Record<string, unknown>>();
  const fail = (why: string): void =>
    ready.reject(new SkimmerError("internal", `${name} did not start: ${why}`, { hint: "Its log on standard error says more." }));
  let text = "";
  const onData = (chunk: string): void => {
    text += chunk;
    const end = text.indexOf("\n");
    if (end < 0 && text.length <= MOST_LINE_LENGTH) return;
    const fields = end < 0 ? undefined : parseFields(text.slice(0, end));
    if (fields === undefined) fail("its first line is not JSON");
    else ready.resolve(fields);
  };
  child.stdout?.setEncoding("utf8").on("data", onData);
  child.on("error", (error) => fail(error.message));
  void exited.then(() => fail("it ended"));
  const timer = setTimeout(() => fail("no ready line in time"), READY_LIMIT_MS);
  try {
    return await ready.promise;
  } finally {
    clearTimeout(timer);
    // whatever else it prints is read and dropped
    child.stdout?.off("data", onData).resume();
  }
}

function parseFields(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
