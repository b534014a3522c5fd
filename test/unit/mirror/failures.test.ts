/** Whatever of ours fails, the engine gets its layer: the mirror with a host daemon that is none. */
import { hash, randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import test from "ava";
import { Mirror } from "../../../mirror/mirror.ts";
import { parseRegistryUrl, readMirrorConfig } from "../../../mirror/mirror-config.ts";
import type { ByteSpan, Content } from "../../../peer/daemon/open-content.ts";
import type { ContentSink } from "../../../peer/daemon/stream-content.ts";
import { SkimmerError } from "../../../system/errors.ts";
import { silentLogger } from "../../../system/logger.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { type Pulled, pull } from "../../support/mirror-place.ts";
import { until } from "../../support/processes.ts";
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
    fetch: async () => undefined,
    stream,
    noteSha256: () => undefined,
    discard: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** A mirror whose daemon answers `content` for every blob. */
async function place(
  content: () => Promise<Content | undefined>,
  stallLimitMs?: number,
): Promise<{
  registry: ScriptedRegistry;
  url: string;
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
  const mirror = stack.use(await Mirror.start({ settings, source: { content }, home, tls: {}, logger: silentLogger, stallLimitMs }));
  return {
    registry,
    url: mirror.url,
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
  t.false((await here.get(BYTES)).complete);
  const second = await here.get(BYTES);
  t.true(second.complete && second.body.equals(BYTES));
  t.is(second.headers["x-skimmer-cache"], "bypass");
});

test("straight from the registry: several ranges, or a range of a HEAD, are answered with everything", async (t) => {
  await using here = await place(() => Promise.reject(new SkimmerError("no_seeder", "none")));
  const several = await here.get(BYTES, { range: "bytes=0-9,20-29" });
  t.is(several.status, 200);
  t.true(several.complete && several.body.equals(BYTES));
  const { digest } = here.registry.addBlob("team/app", BYTES);
  const head = await pull(`${here.url}/v2/team/app/blobs/${digest}`, { range: "bytes=0-9" }, "HEAD");
  t.is(head.status, 200);
  t.is(head.headers["content-length"], String(BYTES.length));
});

test("straight from the registry: a part that does not say which one is no answer", async (t) => {
  await using here = await place(() => Promise.reject(new SkimmerError("no_seeder", "none")));
  const { digest } = here.registry.addBlob("team/app", BYTES);
  const path = `/v2/team/app/blobs/${digest}`;
  here.registry.behaviour.fail.set(path, 206);
  t.is((await pull(here.url + path, { range: "bytes=0-9" })).status, 502);
});

test("a blob by sha512: checked by that, whatever the store knows of it", async (t) => {
  const wrong = Buffer.from(BYTES);
  wrong[7] ^= 1;
  const known = { ...contentOf(BYTES.length, async (_span, sink) => sink(wrong)), sha256: hash("sha256", wrong, "hex"), complete: true };
  await using here = await place(async () => known);
  const digest = `sha512:${hash("sha512", BYTES, "hex")}`;
  t.false((await pull(`${here.url}/v2/team/app/blobs/${digest}`)).complete);
  here.registry.blobs.set(`team/app/${digest}`, { bytes: BYTES, mediaType: "application/octet-stream" });
  const second = await pull(`${here.url}/v2/team/app/blobs/${digest}`);
  t.true(second.complete && second.body.equals(BYTES));
});

test("a reader who takes nothing: no more is read for him than his connection holds, and at last he is cut", async (t) => {
  const chunk = Buffer.alloc(256 * 1024);
  const lengthBytes = 1024 * chunk.length;
  let given = 0;
  let ended: unknown;
  const source = contentOf(lengthBytes, async (_span, sink) => {
    try {
      for (let at = 0; at < lengthBytes; at += chunk.length) {
        await sink(chunk);
        given += chunk.length;
      }
    } catch (thrown) {
      ended = thrown;
      throw thrown;
    }
  });
  await using here = await place(async () => source, 500);
  const sent = http.get(`${here.url}/v2/team/app/blobs/sha256:${"1".repeat(64)}`, { agent: false });
  sent.on("error", () => undefined);
  const [answer] = (await once(sent, "response")) as [http.IncomingMessage];
  answer.pause();
  await until(() => ended !== undefined);
  sent.destroy();
  t.is((ended as SkimmerError).code, "cancelled");
  // both ends' socket buffers, of 256 MiB
  t.true(given < 32 * 1024 * 1024, `${given} bytes`);
});

test("of a layer that comes next only the beginning is fetched before somebody reads it, then all of it", async (t) => {
  const calls: string[] = [];
  const heard = new EventTarget();
  const note = (call: string): void => {
    calls.push(call);
    heard.dispatchEvent(new Event(call));
  };
  const layers = [randomBytes(1000), randomBytes(2000)];
  const far = 5_000_000_000;
  const contents = layers.map((bytes, index) => ({
    ...contentOf(index === 0 ? bytes.length : far, async (_span, sink) => sink(bytes)),
    complete: index === 0,
    fetchAll: () => note(`all of ${index}`),
    fetch: async ({ firstByte, lastByte }: ByteSpan) => note(`${firstByte}-${lastByte} of ${index}`),
  }));
  let opened = 0;
  await using here = await place(async () => contents[opened++]);
  const image = here.registry.addImage({ repository: "team/app", tag: "v1", layers });
  t.is((await pull(`${here.url}/v2/team/app/manifests/v1`)).status, 200);
  const ahead = once(heard, `0-${32 * 1024 * 1024 - 1} of 1`, { signal: AbortSignal.timeout(20_000) });
  t.true((await pull(`${here.url}/v2/team/app/blobs/${image.blobs[1]}`)).complete);
  await ahead;
  t.false(calls.includes("all of 1"));
  const read = once(heard, "all of 1", { signal: AbortSignal.timeout(20_000) });
  await Promise.all([read, pull(`${here.url}/v2/team/app/blobs/${image.blobs[2]}`)]);
  t.is(calls.filter((call) => call === "all of 1").length, 1);
});
