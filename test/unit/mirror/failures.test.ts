/** Whatever of ours fails, the engine gets its layer: the mirror with a host daemon that is none. */
import { randomBytes } from "node:crypto";
import test from "ava";
import { Mirror } from "../../../mirror/mirror.ts";
import { parseRegistryUrl, readMirrorConfig } from "../../../mirror/mirror-config.ts";
import type { ByteSpan, Content } from "../../../peer/daemon/open-content.ts";
import type { ContentSink } from "../../../peer/daemon/stream-content.ts";
import { SkimmerError } from "../../../system/errors.ts";
import { silentLogger } from "../../../system/logger.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { type Pulled, pull } from "../../support/mirror-place.ts";
import { ScriptedRegistry } from "../../support/scripted-registry.ts";

type Stream = (span: ByteSpan, sink: ContentSink, signal: AbortSignal) => Promise<void>;

const NOTHING = { origin: 0, seeder: 0, peers: 0, cache: 0 };

function contentOf(lengthBytes: number, stream: Stream): Content {
  return {
    lengthBytes,
    validators: {},
    infoHash: null,
    sha256: undefined,
    complete: false,
    has: () => false,
    from: () => NOTHING,
    fetchAll: () => undefined,
    stream,
    noteSha256: () => undefined,
    discard: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** A mirror whose daemon answers `content` for every blob. */
async function place(content: () => Promise<Content | undefined>): Promise<{
  registry: ScriptedRegistry;
  get(bytes: Buffer, headers?: Record<string, string>): Promise<Pulled>;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const stack = new AsyncDisposableStack();
  const registry = stack.use(await ScriptedRegistry.start());
  const home = stack.use(await temporaryFolder()).path;
  const settings = {
    listen: { host: "127.0.0.1", port: 0 },
    config: readMirrorConfig(undefined, parseRegistryUrl(registry.base)),
    graceMs: 60_000,
    lingerMs: 1000,
    preheatPushes: false,
  };
  const mirror = stack.use(await Mirror.start({ settings, source: { content }, home, tls: {}, logger: silentLogger }));
  return {
    registry,
    get: (bytes, headers) => pull(`${mirror.url}/v2/team/app/blobs/${registry.addBlob("team/app", bytes).digest}`, headers),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const BYTES = randomBytes(300_000);

/** Sends so many bytes, then does `then`. */
function sendsFirst(count: number, then: (signal: AbortSignal) => Promise<void>): Stream {
  return async ({ firstByte, lastByte }, sink, signal) => {
    await sink(BYTES.subarray(firstByte, Math.min(firstByte + count, lastByte + 1)));
    await then(signal);
  };
}

const fails = (): Promise<void> => Promise.reject(new SkimmerError("no_progress", "the swarm is gone"));
const isSilent = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("the daemon opens nothing: straight from the registry", async (t) => {
  for (const error of [new SkimmerError("no_seeder", "none"), new SkimmerError("disk_full", "full"), new Error("a fault of ours")]) {
    await using here = await place(() => Promise.reject(error));
    const answer = await here.get(BYTES);
    t.like(answer, { status: 200, complete: true });
    t.true(answer.body.equals(BYTES));
    t.is(answer.headers["x-skimmer-cache"], "bypass");
    t.true((await here.get(BYTES, { range: "bytes=5-9" })).body.equals(BYTES.subarray(5, 10)));
  }
});

test("the swarm fails in the middle: the registry goes on at that byte, in whole answers and in ranges", async (t) => {
  await using here = await place(async () => contentOf(BYTES.length, sendsFirst(100_000, fails)));
  const whole = await here.get(BYTES);
  t.true(whole.complete && whole.body.equals(BYTES));
  const ranges = here.registry.requests.map(({ headers }) => headers.range);
  t.deepEqual(ranges, [`bytes=100000-${BYTES.length - 1}`]);
  const part = await here.get(BYTES, { range: "bytes=50000-250000" });
  t.is(part.status, 206);
  t.true(part.complete && part.body.equals(BYTES.subarray(50_000, 250_001)));
});

test("the swarm is silent: a small range does not wait for it", async (t) => {
  const quiet = contentOf(BYTES.length, (_span, _sink, signal) => isSilent(signal));
  await using silent = await place(async () => quiet);
  const began = performance.now();
  const part = await silent.get(BYTES, { range: "bytes=1000-1999" });
  t.true(part.complete && part.body.equals(BYTES.subarray(1000, 2000)));
  t.true(performance.now() - began < 10_000);
});

test("the registry cuts the rest off, too: it is asked again; the registry fails for good: a cut, never a whole", async (t) => {
  await using here = await place(async () => contentOf(BYTES.length, sendsFirst(100_000, fails)));
  here.registry.behaviour.cutBlobsAfter = 60_000;
  const whole = await here.get(BYTES);
  t.true(whole.complete && whole.body.equals(BYTES));
  const path = here.registry.requests.at(-1)?.path ?? "";
  here.registry.behaviour.fail.set(path, 500);
  t.false((await here.get(BYTES)).complete);
});

test("the swarm sends other bytes: the answer is cut before its end, and the next one comes from the registry", async (t) => {
  const wrong = Buffer.from(BYTES);
  wrong[7] ^= 1;
  await using here = await place(async () => contentOf(BYTES.length, async (_span, sink) => sink(wrong)));
  // it may be cut before its headers went out
  const first = await here.get(BYTES).catch(() => ({ complete: false }));
  t.false(first.complete);
  const second = await here.get(BYTES);
  t.true(second.complete && second.body.equals(BYTES));
  t.is(second.headers["x-skimmer-cache"], "bypass");
});
