/**
 * A supernode inside the test's own process, on loopback and a temporary folder.
 */
import { silentLogger } from "../../../../system/logger.ts";
import { openSupernode, type Supernode, type SupernodeOptions } from "../../../../tracker/supernode.ts";
import { temporaryFolder } from "../../../support/folders.ts";

export interface TestSupernode extends AsyncDisposable {
  readonly supernode: Supernode;
  readonly port: number;
  readonly url: string;
  readonly data: string;
}

/** `data`: a folder to go on with; absent: a new one that goes with the supernode. */
export async function startSupernode(options: Partial<SupernodeOptions> = {}): Promise<TestSupernode> {
  const stack = new AsyncDisposableStack();
  const data = options.data ?? stack.use(await temporaryFolder()).path;
  const supernode = stack.use(
    await openSupernode({
      listen: { host: "127.0.0.1", port: 0 },
      advertise: undefined,
      openTracker: false,
      announceIntervalMs: 60_000,
      expectsSeeder: false,
      logger: silentLogger,
      ...options,
      data,
    }),
  );
  const { port } = supernode;
  return { supernode, port, data, url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
