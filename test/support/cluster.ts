/**
 * A supernode, its seeder and any number of host daemons on loopback, as real processes in temporary folders.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "./folders.ts";
import { type CommandResult, lastJson, type RunningCommand, runCommand, startCommand } from "./processes.ts";

export interface ClusterOptions {
  /** Further supernode options. */
  readonly supernodeArgs?: readonly string[];
  readonly daemons?: number;
  readonly daemonArgs?: readonly string[];
}

/** What `dfget --json` said at its end. */
export type Outcome = ReturnType<typeof lastJson> & { readonly exitCode: number | string };

export class Cluster implements AsyncDisposable {
  readonly folder: string;
  supernode: RunningCommand;
  readonly #stack: AsyncDisposableStack;
  readonly #options: ClusterOptions;
  readonly #daemons = new Map<string, RunningCommand>();

  private constructor(folder: string, supernode: RunningCommand, stack: AsyncDisposableStack, options: ClusterOptions) {
    this.folder = folder;
    this.supernode = supernode;
    this.#stack = stack;
    this.#options = options;
  }

  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const stack = new AsyncDisposableStack();
    const { path } = stack.use(await temporaryFolder());
    const supernode = await startSupernode(path, options, "127.0.0.1:0");
    const cluster = new Cluster(path, supernode, stack, options);
    stack.defer(async () => void (await cluster.supernode.stop()));
    for (let index = 0; index < (options.daemons ?? 0); index++) await cluster.startDaemon(`h${index}`);
    return cluster;
  }

  get url(): string {
    return this.supernode.ready.http;
  }

  get daemonPids(): number[] {
    return [...this.#daemons.values()].map(({ pid }) => pid);
  }

  /** The seeder that the supernode started. */
  async seederPid(): Promise<number> {
    const children = await readFile(`/proc/${this.supernode.pid}/task/${this.supernode.pid}/children`, "utf8");
    return Number(children.split(" ", 1)[0]);
  }

  home(name: string): string {
    return join(this.folder, name);
  }

  async startDaemon(name: string, args: readonly string[] = []): Promise<RunningCommand> {
    const own = this.#options.daemonArgs ?? [];
    const common = [
      "--home",
      this.home(name),
      "--supernode",
      this.url,
      "--peer-listen",
      "127.0.0.1:0",
      "--log-level",
      process.env.LOG ?? "warn",
    ];
    const daemon = this.#stack.use(await startCommand({ command: "dfdaemon", args: [...common, ...own, ...args] }));
    this.#daemons.set(name, daemon);
    return daemon;
  }

  /** Another process that ends with the cluster. */
  use<T extends AsyncDisposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  /** Starts the supernode again with the same data and address. */
  async restartSupernode(args: readonly string[] = []): Promise<void> {
    const { host } = new URL(this.url);
    await this.supernode.stop();
    const supernodeArgs = [...(this.#options.supernodeArgs ?? []), ...args];
    this.supernode = await startSupernode(this.folder, { ...this.#options, supernodeArgs }, host);
  }

  async stopDaemon(name: string): Promise<void> {
    await this.#daemons.get(name)?.stop();
  }

  /** Runs dfget through the daemon of that home. */
  async dfget(home: string, url: string, args: readonly string[] = []): Promise<Outcome> {
    const result = await this.dfgetRaw(home, url, args);
    return { ...lastJson(result), exitCode: result.exitCode };
  }

  dfgetRaw(home: string, url: string, args: readonly string[] = []): Promise<CommandResult> {
    const output = join(this.folder, `${home}.out`);
    return runCommand({
      command: "dfget",
      args: [url, "-o", output, "--home", this.home(home), "--supernode", this.url, "--json", ...args],
    });
  }

  output(home: string): string {
    return join(this.folder, `${home}.out`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function startSupernode(folder: string, options: ClusterOptions, listen: string): Promise<RunningCommand> {
  const args = [
    "--listen",
    listen,
    "--seeder-listen",
    "127.0.0.1:0",
    "--data",
    join(folder, "supernode"),
    "--log-level",
    process.env.LOG ?? "warn",
  ];
  return startCommand({ command: "supernode", args: [...args, ...(options.supernodeArgs ?? [])] });
}

/** SHA-256 of a file, hex. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}
