/** The http back end against an origin that misbehaves in one way at a time. */
import test, { type ExecutionContext } from "ava";
import { type HttpOriginOptions, openHttpOrigin } from "../../../origin/http-origin.ts";
import { OriginStatusError } from "../../../origin/origin-status-error.ts";
import type { OriginRequest, Probe, ReadRange } from "../../../origin/types.ts";
import type { ErrorCode } from "../../../system/errors.ts";
import { type OriginFile, ScriptedOrigin, seededBytes } from "../../support/scripted-origin.ts";

const CONTENT = seededBytes(7, 300_000);
const signal = (): AbortSignal => AbortSignal.timeout(20_000);

/** An origin with one file, and a back end to read it with. */
async function setUp(behaviour: Partial<OriginFile> = {}, options: HttpOriginOptions = {}) {
  const server = await ScriptedOrigin.start();
  const { url, file } = server.add("/dir/file.bin", CONTENT, behaviour);
  const origin = openHttpOrigin(options);
  const request: OriginRequest = { url, headers: {} };
  return {
    server,
    url,
    file,
    probe: (more: Partial<OriginRequest> = {}): Promise<Probe> => origin.probe({ ...request, ...more }, { signal: signal() }),
    async read(range: Partial<ReadRange> = {}, more: Partial<OriginRequest> = {}): Promise<Buffer> {
      const chunks: Buffer[] = [];
      const whole: ReadRange = { firstByte: 0, lastByte: CONTENT.length - 1, validators: {} };
      const sink = (chunk: Buffer): void => void chunks.push(Buffer.from(chunk));
      await origin.read({ ...request, ...more }, { ...whole, ...range }, sink, { signal: signal() });
      return Buffer.concat(chunks);
    },
    async [Symbol.asyncDispose]() {
      await origin.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function fails(t: ExecutionContext, promise: Promise<unknown>, expected: { code: ErrorCode; retriable?: boolean; status?: number }) {
  const error = await t.throwsAsync(promise);
  t.like(error, { name: "SkimmerError", ...expected });
}

test("probe() tells length, ranges, validators and name, for one byte", async (t) => {
  await using to = await setUp({
    etag: '"v1"',
    lastModified: "Mon, 01 Jan 2024 00:00:00 GMT",
    disposition: 'attachment; filename="ä/b.bin"',
  });
  t.deepEqual(await to.probe(), {
    lengthBytes: CONTENT.length,
    ranges: true,
    validators: { etag: '"v1"', lastModified: "Mon, 01 Jan 2024 00:00:00 GMT" },
    name: "b.bin",
    cacheControl: "",
  });
  t.is(to.server.bytesSent, 1);
  t.is(to.server.requests[0].headers["accept-encoding"], "identity");
});

test("read() gives exactly the range", async (t) => {
  await using to = await setUp();
  for (const [firstByte, lastByte] of [
    [0, 0],
    [5, 99_999],
    [CONTENT.length - 1, CONTENT.length - 1],
    [0, CONTENT.length - 1],
  ]) {
    t.true((await to.read({ firstByte, lastByte })).equals(CONTENT.subarray(firstByte, lastByte + 1)));
  }
  t.true((await to.read({ lastByte: undefined })).equals(CONTENT));
  t.true((await to.read({ firstByte: 1000, lastByte: undefined })).equals(CONTENT.subarray(1000)));
});

test("without ranges: probe() says so and reads no body, read() skips to the range", async (t) => {
  await using to = await setUp({ noRanges: true });
  t.like(await to.probe(), { lengthBytes: CONTENT.length, ranges: false });
  t.true((await to.read({ firstByte: 100_000, lastByte: 199_999 })).equals(CONTENT.subarray(100_000, 200_000)));
  t.true((await to.read({ lastByte: undefined })).equals(CONTENT));
});

test("chunked: probe() knows no length, read() goes to the end", async (t) => {
  await using to = await setUp({ chunked: true });
  t.like(await to.probe(), { lengthBytes: undefined, ranges: false });
  t.true((await to.read({ lastByte: undefined })).equals(CONTENT));
});

test("an empty file: probe() reads its length from 416", async (t) => {
  await using to = await setUp();
  to.file.content = Buffer.alloc(0);
  t.like(await to.probe(), { lengthBytes: 0, ranges: false });
  t.is((await to.read({ lastByte: undefined })).length, 0);
});

test("a window is read as if it were the file, and may not begin behind the end", async (t) => {
  await using to = await setUp();
  const window = { firstByte: 1000, lastByte: 1_000_000 };
  t.is((await to.probe({ window })).lengthBytes, CONTENT.length - 1000);
  t.true((await to.read({ firstByte: 10, lastByte: 19 }, { window })).equals(CONTENT.subarray(1010, 1020)));
  to.file.noRanges = true;
  t.is((await to.probe({ window })).lengthBytes, CONTENT.length - 1000);
  t.true((await to.read({ firstByte: 10, lastByte: 19 }, { window })).equals(CONTENT.subarray(1010, 1020)));
  const behind = { window: { firstByte: CONTENT.length, lastByte: CONTENT.length } };
  await fails(t, to.probe(behind), { code: "bad_request" });
  to.file.noRanges = false;
  await fails(t, to.probe(behind), { code: "bad_request", status: 416 });
});

test("a broken connection is retriable, and what came before it counts", async (t) => {
  await using to = await setUp({ breakAfterBytes: 100_000 });
  let got = 0;
  const origin = openHttpOrigin();
  const read = origin.read(
    { url: to.url, headers: {} },
    { firstByte: 0, lastByte: CONTENT.length - 1, validators: {} },
    (chunk) => {
      got += chunk.length;
    },
    { signal: signal() },
  );
  await fails(t, read, { code: "origin_failed", retriable: true });
  t.true(got <= 100_000);
  await origin.close();
});

for (const [status, code, retriable] of [
  [401, "origin_refused", false],
  [403, "origin_refused", false],
  [404, "origin_not_found", false],
  [410, "origin_not_found", false],
  [418, "origin_failed", false],
  [429, "origin_failed", true],
  [500, "origin_failed", true],
  [503, "origin_failed", true],
] as const) {
  test(`status ${status} is ${code}${retriable ? ", to be tried again" : ""}`, async (t) => {
    await using to = await setUp({ status });
    await fails(t, to.probe(), { code, status, retriable });
    await fails(t, to.read(), { code, status, retriable });
  });
}

test("503 with Retry-After tells when to come back", async (t) => {
  await using to = await setUp({ status: 503, retryAfter: "7" });
  const error = await t.throwsAsync(to.probe(), { instanceOf: OriginStatusError });
  t.is((error as OriginStatusError).retryAfterMs, 7000);
});

test("a wrong Content-Range is refused, by probe() and by read()", async (t) => {
  await using to = await setUp({ wrongRange: true });
  await fails(t, to.probe(), { code: "origin_failed" });
  await fails(t, to.read({ firstByte: 10, lastByte: 19 }), { code: "origin_failed", retriable: true });
});

test("a changed ETag is origin_changed, whether or not the origin understands If-Range", async (t) => {
  await using to = await setUp({ etag: '"v1"' });
  const { validators } = await to.probe();
  to.file.etag = '"v2"';
  await fails(t, to.read({ firstByte: 1000, validators }), { code: "origin_changed", retriable: false });
  to.file.noRanges = true;
  await fails(t, to.read({ validators }), { code: "origin_changed" });
  t.is(to.server.requests[1].headers["if-range"], '"v1"');
});

test("a length longer than the content is refused", async (t) => {
  await using to = await setUp({ claimLength: CONTENT.length + 5000, noRanges: true });
  t.is((await to.probe()).lengthBytes, CONTENT.length + 5000);
  await fails(t, to.read({ lastByte: CONTENT.length + 4999 }), { code: "origin_failed", retriable: true });
});

test("an answer shorter than the range is refused", async (t) => {
  await using to = await setUp();
  await fails(t, to.read({ lastByte: CONTENT.length + 4999 }), { code: "origin_failed", retriable: true });
});

test("a Content-Encoding is refused: ranges and digests are those of the plain bytes", async (t) => {
  await using to = await setUp({ contentEncoding: "gzip" });
  await fails(t, to.read(), { code: "origin_failed", retriable: false });
  to.file.contentEncoding = "identity";
  t.is((await to.read()).length, CONTENT.length);
});

test("a redirect to another host drops the credentials, one to the same host keeps them", async (t) => {
  await using to = await setUp();
  await using other = await ScriptedOrigin.start();
  const { url: elsewhere } = other.add("/there.bin", CONTENT);
  const { url: away } = to.server.add("/away", Buffer.alloc(0), { redirectTo: elsewhere });
  const { url: along } = to.server.add("/along", Buffer.alloc(0), { redirectTo: "/dir/file.bin" });
  const headers = { Authorization: "Bearer secret", Cookie: "a=b", "X-Api-Key": "key", "x-plain": "stays" };
  t.like(await to.probe({ url: away, headers }), { lengthBytes: CONTENT.length });
  const seen = other.requests[0].headers;
  t.like(seen, { "x-plain": "stays" });
  for (const name of ["authorization", "cookie", "x-api-key"]) t.false(name in seen, name);
  t.true((await to.read({}, { url: along, headers })).equals(CONTENT));
  t.like(to.server.requests.at(-1), { path: "/dir/file.bin", headers: { authorization: "Bearer secret", cookie: "a=b" } });
});

test("redirects without end, or to what is no web address, are refused", async (t) => {
  await using to = await setUp();
  const { url: circle } = to.server.add("/circle", Buffer.alloc(0), { redirectTo: "/circle" });
  const { url: file } = to.server.add("/file", Buffer.alloc(0), { redirectTo: "file:///etc/passwd" });
  await fails(t, to.probe({ url: circle }), { code: "origin_failed" });
  t.is(to.server.requests.length, 11);
  await fails(t, to.probe({ url: file }), { code: "origin_failed" });
});

test("an origin that falls silent is given up after the stall time", async (t) => {
  await using to = await setUp({ stallAfterBytes: 1000 }, { stallTimeoutMs: 300 });
  await fails(t, to.read(), { code: "origin_failed", retriable: true });
});

test("nobody there is origin_unreachable", async (t) => {
  await using to = await setUp();
  const { url } = to;
  await to.server[Symbol.asyncDispose]();
  const origin = openHttpOrigin();
  await fails(t, origin.probe({ url, headers: {} }, { signal: signal() }), { code: "origin_unreachable", retriable: true });
  await origin.close();
  to.server[Symbol.asyncDispose] = () => Promise.resolve();
});

test("an abort ends a read that waits for its sink", async (t) => {
  await using to = await setUp();
  const origin = openHttpOrigin();
  const stop = new AbortController();
  const sink = (): Promise<void> => {
    stop.abort();
    return new Promise(() => undefined);
  };
  const range = { firstByte: 0, lastByte: CONTENT.length - 1, validators: {} };
  await t.throwsAsync(origin.read({ url: to.url, headers: {} }, range, sink, { signal: stop.signal }), { name: "AbortError" });
  await origin.close();
});

test("a failing sink fails the read with its own error", async (t) => {
  await using to = await setUp();
  const origin = openHttpOrigin();
  const range = { firstByte: 0, lastByte: CONTENT.length - 1, validators: {} };
  for (const sink of [() => Promise.reject(new Error("disk is full")), () => fail("disk is full")]) {
    const read = origin.read({ url: to.url, headers: {} }, range, sink, { signal: signal() });
    await t.throwsAsync(read, { message: /disk is full/ });
  }
  await origin.close();
});

function fail(message: string): never {
  throw new Error(message);
}

test("headers of the caller go to the origin, those of one connection do not", async (t) => {
  await using to = await setUp();
  await to.probe({
    headers: { "User-Agent": "mine", "X-One": "1", Connection: "close", Range: "bytes=5-6", Host: "evil", "Accept-Encoding": "br" },
  });
  t.like(to.server.requests[0].headers, {
    "user-agent": "mine",
    "x-one": "1",
    range: "bytes=0-0",
    host: new URL(to.url).host,
    "accept-encoding": "identity",
  });
});

test("probe() leaves a body that it did not ask for, be it 206 or 200, with or without a length", async (t) => {
  await using to = await setUp({ endlessRange: true, answerBytesPerSecond: 20_000 });
  const startedMs = performance.now();
  t.like(await to.probe(), { lengthBytes: CONTENT.length, ranges: true });
  to.file.endlessRange = false;
  to.file.noRanges = true;
  t.like(await to.probe(), { lengthBytes: CONTENT.length, ranges: false });
  // 300,000 bytes would take 15 s
  t.true(performance.now() - startedMs < 5_000);
});

test("another total length is origin_changed where there are no validators, with and without ranges", async (t) => {
  await using to = await setUp({ etag: undefined });
  const lengthBytes = CONTENT.length;
  t.is((await to.read({ firstByte: 10, lastByte: 19, lengthBytes })).length, 10);
  to.file.content = CONTENT.subarray(0, lengthBytes - 1);
  await fails(t, to.read({ firstByte: 10, lastByte: 19, lengthBytes }), { code: "origin_changed" });
  to.file.noRanges = true;
  await fails(t, to.read({ lastByte: 19, lengthBytes }), { code: "origin_changed" });
});

test("a weak ETag is not sent as If-Range, but another one is noticed", async (t) => {
  await using to = await setUp({ etag: 'W/"v1"' });
  const { validators } = await to.probe();
  t.is((await to.read({ firstByte: 5, lastByte: 9, validators })).length, 5);
  t.false("if-range" in (to.server.requests.at(-1)?.headers ?? {}));
  to.file.etag = 'W/"v2"';
  await fails(t, to.read({ firstByte: 5, lastByte: 9, validators }), { code: "origin_changed" });
});

test("user and password of the URL are sent as Basic, unless the caller sends his own, and never to another host", async (t) => {
  await using to = await setUp({ authorization: `Basic ${Buffer.from("me:p@ss").toString("base64")}` });
  const url = to.url.replace("http://", "http://me:p%40ss@");
  t.is((await to.probe({ url })).lengthBytes, CONTENT.length);
  t.true((await to.read({}, { url })).equals(CONTENT));
  const error = await t.throwsAsync(to.probe({ url: `${url}?sig=secret`, headers: { authorization: "Basic other" } }));
  t.like(error, { code: "origin_refused" });
  t.notRegex((error as Error).message, /secret|p%40ss|p@ss/);
  await using other = await ScriptedOrigin.start();
  to.file.redirectTo = other.add("/there", CONTENT).url;
  t.is((await to.probe({ url })).lengthBytes, CONTENT.length);
  t.false("authorization" in other.requests[0].headers);
});

test("reads go straight to where the last was redirected, and back to the first URL when that place refuses", async (t) => {
  await using to = await setUp();
  await using store = await ScriptedOrigin.start();
  const first = store.add("/signed-1", CONTENT);
  const second = store.add("/signed-2", CONTENT);
  const { url, file } = to.server.add("/asset", Buffer.alloc(0), { redirectTo: `${first.url}?sig=1` });
  const headers = { authorization: "Bearer secret" };
  const paths = (): string[] => [...to.server.requests, ...store.requests].map(({ path }) => path);
  const range = { firstByte: 100, lastByte: 199 };
  for (let times = 0; times < 3; times++) t.is((await to.read(range, { url, headers })).length, 100);
  t.deepEqual(paths(), ["/asset", "/signed-1", "/signed-1", "/signed-1"]);
  first.file.status = 403;
  file.redirectTo = `${second.url}?sig=2`;
  for (let times = 0; times < 2; times++) t.is((await to.read(range, { url, headers })).length, 100);
  t.deepEqual(paths().slice(0, 2), ["/asset", "/asset"]);
  t.deepEqual(store.requests.map(({ path }) => path).slice(3), ["/signed-1", "/signed-2", "/signed-2"]);
  for (const { headers: seen } of store.requests) t.false("authorization" in seen);
  await to.probe({ url, headers });
  t.is(to.server.requests.length, 3, "a probe asks the first URL, always");
  second.file.status = 404;
  await fails(t, to.read(range, { url, headers }), { code: "origin_not_found" });
});
