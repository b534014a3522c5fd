/**
 * Whether an output that is there already is to stay as it is: --no-clobber, or --continue with the right digest. Drives.
 */
import { stat } from "node:fs/promises";
import { digestFile, wantedDigests } from "../daemon/content-digest.ts";
import type { DoneEvent } from "../daemon/daemon-api.ts";

export interface KeptInput {
  readonly output: string;
  /** Body of the request that would be sent. */
  readonly body: Readonly<Record<string, unknown>>;
  /** False: whatever is there stays. */
  readonly clobber: boolean;
  readonly signal: AbortSignal;
}

/** The outcome without a download; undefined: there is something to download. */
export async function keptDone({ output, body, clobber, signal }: KeptInput): Promise<DoneEvent | undefined> {
  const found = await stat(output).catch(() => undefined);
  if (found?.isFile() !== true || (clobber && !(await hasDigests(output, { body, lengthBytes: found.size, signal })))) return undefined;
  const from = { origin: 0, seeder: 0, peers: 0, cache: 0 };
  return { event: "done", status: "ok", output, bytes: found.size, seconds: 0, infoHash: null, from, reason: "it was there already" };
}

async function hasDigests(path: string, options: { body: KeptInput["body"]; lengthBytes: number; signal: AbortSignal }): Promise<boolean> {
  const { digest, md5 } = options.body as { digest?: string; md5?: string };
  const wanted = wantedDigests({ digest, md5 });
  if (wanted.size === 0) return false;
  const found = await digestFile(path, { names: [...wanted.keys()], lengthBytes: options.lengthBytes, signal: options.signal });
  return [...wanted].every(([name, value]) => found[name] === value);
}
