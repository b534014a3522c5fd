/**
 * The supernode's own seeder as a child process: started, restarted with back-off when it dies, ended with us.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../system/logger.ts";
import { type Child, startChild } from "../system/supervise.ts";

const FIRST_DELAY_MS = 500;
const MOST_DELAY_MS = 15_000;

export class ChildSeeder implements AsyncDisposable {
  readonly #args: readonly string[];
  readonly #variables: Readonly<Record<string, string>>;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  #child: Child | undefined;
  #running: Promise<void> | undefined;

  /** `token`: for the link; in a variable, since anyone can list arguments. */
  constructor(options: { args: readonly string[]; token: string; logger: Logger }) {
    this.#args = options.args;
    this.#variables = { SKIMMER_TOKEN: options.token };
    this.#logger = options.logger;
  }

  /** Starts it; rejects where the first start fails. */
  async start(): Promise<Child> {
    const child = await startChild("seeder", this.#args, this.#variables);
    this.#child = child;
    this.#running = this.#keepRunning(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#child?.stop();
    await this.#running;
  }

  async #keepRunning(first: Child): Promise<void> {
    let child: Child | undefined = first;
    for (let failures = 0; !this.#stop.signal.aborted; failures++) {
      await child?.exited;
      if (this.#stop.signal.aborted) return;
      this.#logger.error({ failures }, "the seeder ended; starting it again");
      await sleep(Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures), undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (this.#stop.signal.aborted) return;
      child = await startChild("seeder", this.#args, this.#variables).catch(() => undefined);
      if (child !== undefined) failures = 0;
      this.#child = child ?? this.#child;
    }
  }
}
