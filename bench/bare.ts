/**
 * How long the least possible work takes on this machine, beside what is measured: see contenders/bare-peer.ts. Not an anchor to beat, but
 * what no verifying and storing program can get below.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LineProcess, startLineProcess } from "./line-process.ts";
import { holdWarmMemory, warmMemory } from "./warm-memory.ts";

const PROGRAM = fileURLToPath(new URL("contenders/bare-peer.ts", import.meta.url));

/** Seconds until `sinks` processes have each taken, hashed and stored the bytes of one source. */
export async function runBareFanOut(folder: string, lengthBytes: number, sinks: number): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const source = stack.use(start(["source", String(lengthBytes)]));
  const { port } = await source.line();
  const outputs = Array.from({ length: sinks }, (_, index) => join(folder, `bare-${index}`));
  const peers = outputs.map((output) => stack.use(start(["sink", String(port), String(lengthBytes), output])));
  return await timeAll({ folder, peers, outputs, bytes: lengthBytes * sinks });
}

/** The same for a chain of two: the second takes from the first what that has stored. */
export async function runBareRelay(folder: string, lengthBytes: number): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const source = stack.use(start(["source", String(lengthBytes)]));
  const { port } = await source.line();
  const outputs = [join(folder, "bare-relay"), join(folder, "bare-sink")];
  const relay = stack.use(start(["relay", String(port), String(lengthBytes), outputs[0]]));
  const relayPort = (await relay.line()).port;
  const sink = stack.use(start(["sink", String(relayPort), String(lengthBytes), outputs[1]]));
  await sink.line();
  // the relay must have its follower before the first bytes come
  await warmMemory(folder, 2 * lengthBytes);
  const startedMs = performance.now();
  sink.go();
  relay.go();
  await Promise.all([sink.line(), relay.line()]);
  const seconds = (performance.now() - startedMs) / 1000;
  await Promise.all(outputs.map((output) => rm(output)));
  return seconds;
}

async function timeAll(run: { folder: string; peers: readonly LineProcess[]; outputs: readonly string[]; bytes: number }): Promise<number> {
  const { folder, peers, outputs, bytes } = run;
  await Promise.all(peers.map((peer) => peer.line()));
  await using _ = await holdWarmMemory(folder, bytes);
  const startedMs = performance.now();
  for (const peer of peers) peer.go();
  await Promise.all(peers.map((peer) => peer.line()));
  const seconds = (performance.now() - startedMs) / 1000;
  await Promise.all(outputs.map((output) => rm(output)));
  return seconds;
}

function start(args: readonly string[]): LineProcess {
  return startLineProcess(process.execPath, [PROGRAM, ...args]);
}
