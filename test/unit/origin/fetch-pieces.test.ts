/** Pieces fetched from an origin that misbehaves; whatever happens, no claim and no buffer may be left behind. */
import test, { type ExecutionContext } from "ava";
import { type FetchPieces, fetchPieces } from "../../../origin/fetch-pieces.ts";
import { openHttpOrigin } from "../../../origin/http-origin.ts";
import type { Origin, PieceTarget } from "../../../origin/types.ts";
import { SkimmerError } from "../../../system/errors.ts";
import { type Geometry, geometryOf, pieceLengthAt, pieceOffset } from "../../../torrents/geometry.ts";
import { until } from "../../support/processes.ts";
import { type OriginFile, ScriptedOrigin, seededBytes } from "../../support/scripted-origin.ts";

const PIECE = 64 * 1024;
const CONTENT = seededBytes(11, 10 * PIECE + 123);

/** Takes pieces in memory; counts what is claimed and held. */
class MemoryTarget implements PieceTarget {
  readonly geometry: Geometry;
  readonly content: Buffer;
  readonly delivered: number[] = [];
  readonly claimed = new Set<number>();
  held = 0;
  /** Delivered with this answer where it is set. */
  answer: (index: number) => "stored" | "mismatch" = () => "stored";

  constructor(lengthBytes: number) {
    this.geometry = geometryOf({ lengthBytes, pieceLengthBytes: PIECE });
    this.content = Buffer.alloc(lengthBytes);
  }

  has(index: number): boolean {
    return this.delivered.includes(index);
  }

  claimMissing(maxPieces: number): { first: number; count: number } | undefined {
    const free = (index: number): boolean => index < this.geometry.pieceCount && !this.has(index) && !this.claimed.has(index);
    let first = 0;
    while (first < this.geometry.pieceCount && !free(first)) first++;
    let count = 0;
    for (; count < maxPieces && free(first + count); count++) this.claimed.add(first + count);
    return count === 0 ? undefined : { first, count };
  }

  unclaim(index: number): void {
    this.claimed.delete(index);
  }

  acquire(index: number) {
    this.held++;
    const release = (): void => void this.held--;
    return Promise.resolve({ index, bytes: Buffer.alloc(pieceLengthAt(this.geometry, index)), release });
  }

  async deliver(piece: { index: number; bytes: Buffer; release(): void }) {
    const kind = this.answer(piece.index);
    if (kind === "stored") {
      piece.bytes.copy(this.content, pieceOffset(this.geometry, piece.index));
      this.delivered.push(piece.index);
    }
    piece.release();
    this.unclaim(piece.index);
    return { kind };
  }
}

/** An origin with the content, a target, and the fetch of one into the other. */
async function setUp(behaviour: Partial<OriginFile> = {}) {
  const server = await ScriptedOrigin.start();
  const { url, file } = server.add("/file.bin", CONTENT, behaviour);
  const origin = openHttpOrigin({ stallTimeoutMs: 300 });
  const target = new MemoryTarget(CONTENT.length);
  return {
    server,
    file,
    target,
    origin,
    async run(more: Partial<FetchPieces> = {}): Promise<void> {
      const signal = AbortSignal.timeout(30_000);
      const probe = {
        lengthBytes: CONTENT.length,
        ranges: !file.noRanges && !file.chunked,
        validators: { etag: file.etag },
        name: "",
        cacheControl: "",
      };
      await fetchPieces({ origin, request: { url, headers: {} }, probe, target, signal, isChecked: true, random: () => 0, ...more });
    },
    async [Symbol.asyncDispose]() {
      await origin.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

type Setting = Awaited<ReturnType<typeof setUp>>;

function isWhole(t: ExecutionContext, { target }: Setting): void {
  t.true(target.content.equals(CONTENT), "content");
  t.is(new Set(target.delivered).size, target.geometry.pieceCount);
  t.is(target.delivered.length, target.geometry.pieceCount, "each piece once");
  nothingIsLeft(t, target);
}

function nothingIsLeft(t: ExecutionContext, target: MemoryTarget): void {
  t.is(target.held, 0, "buffers held");
  t.deepEqual([...target.claimed], [], "claims open");
}

for (const [how, behaviour] of [
  ["with ranges", {}],
  ["without ranges", { noRanges: true }],
  ["chunked", { chunked: true }],
] as const) {
  test(`fetchPieces() fills the target ${how}, reading every byte once`, async (t) => {
    await using to = await setUp(behaviour);
    await to.run();
    isWhole(t, to);
    t.is(to.server.bytesSent, CONTENT.length);
    if (how !== "with ranges") t.is(to.server.requests.length, 1);
  });
}

test("fetchPieces() goes on behind the last byte after each break", async (t) => {
  await using to = await setUp({ breakAfterBytes: PIECE + 17 });
  await to.run({ maxConnections: 1 });
  isWhole(t, to);
  const begins = to.server.requests.map(({ range }) => Number(range?.slice("bytes=".length).split("-")[0]));
  t.deepEqual(
    begins,
    [...begins].sort((a, b) => a - b),
  );
  t.true(new Set(begins).size > 5);
});

test("fetchPieces() does not read on before the chunk of a broken read is in its piece", async (t) => {
  const target = new MemoryTarget(CONTENT.length);
  const signal = AbortSignal.timeout(30_000);
  const acquire = target.acquire.bind(target);
  let reads = 0;
  // the pool of buffers is full while the first connection breaks, and well after the retry could begin
  const room = Promise.withResolvers<void>();
  target.acquire = (index) => room.promise.then(() => acquire(index));
  const origin: Origin = {
    probe: () => Promise.reject(new Error("not asked for")),
    read: async (_request, { firstByte, lastByte = CONTENT.length - 1 }, sink) => {
      if (reads++ > 0) return sink(CONTENT.subarray(firstByte, lastByte + 1));
      void sink(CONTENT.subarray(0, 1000));
      setTimeout(room.resolve, 400);
      throw new SkimmerError("origin_failed", "the connection broke", { retriable: true });
    },
    close: () => Promise.resolve(),
  };
  const probe = { lengthBytes: CONTENT.length, ranges: true, validators: {}, name: "", cacheControl: "" };
  await fetchPieces({ origin, request: { url: "http://host/", headers: {} }, probe, target, signal, maxConnections: 1, random: () => 0 });
  t.true(target.content.equals(CONTENT));
  nothingIsLeft(t, target);
});

test("fetchPieces() survives one break without ranges, by skipping what it has", async (t) => {
  await using to = await setUp({ noRanges: true, breakAfterBytes: 3 * PIECE, breakTimes: 1 });
  await to.run();
  isWhole(t, to);
  t.is(to.server.requests.length, 2);
});

test("fetchPieces() waits for an origin that is busy for a moment", async (t) => {
  await using to = await setUp({ status: 503, statusTimes: 3, retryAfter: "0" });
  await to.run();
  isWhole(t, to);
});

test("fetchPieces() reads around a stall", async (t) => {
  await using to = await setUp({ stallAfterBytes: PIECE + 100 });
  await to.run({ maxConnections: 4 });
  isWhole(t, to);
});

for (const [what, behaviour, code] of [
  ["that is gone", { status: 404 }, "origin_not_found"],
  ["that refuses", { status: 403 }, "origin_refused"],
  ["that compresses", { contentEncoding: "gzip" }, "origin_failed"],
] as const) {
  test(`fetchPieces() gives up at once on an origin ${what}`, async (t) => {
    await using to = await setUp(behaviour);
    t.like(await t.throwsAsync(to.run()), { name: "SkimmerError", code });
    t.true(to.server.requests.length <= 4);
    nothingIsLeft(t, to.target);
  });
}

test("fetchPieces() gives up after seven failures without a new byte", async (t) => {
  await using to = await setUp({ status: 503, retryAfter: "0" });
  t.like(await t.throwsAsync(to.run({ maxConnections: 1 })), { code: "origin_failed", status: 503 });
  t.is(to.server.requests.length, 7);
  nothingIsLeft(t, to.target);
});

test("fetchPieces() ends where the content changes in the middle", async (t) => {
  await using to = await setUp();
  const { file, target } = to;
  target.answer = () => {
    file.etag = '"new"';
    return "stored";
  };
  const probe = { lengthBytes: CONTENT.length, ranges: true, validators: { etag: file.etag }, name: "", cacheControl: "" };
  t.like(await t.throwsAsync(to.run({ maxConnections: 1, probe })), { code: "origin_changed" });
  nothingIsLeft(t, target);
});

/** Resolves when the last bytes are on their way. */
function untilAllIsAsked({ server }: Setting): Promise<void> {
  return until(() => server.requests.some(({ range }) => range?.endsWith(`-${CONTENT.length - 1}`)));
}

test("fetchPieces() keeps back the last piece of what changed while the last answers came, unless it can be checked", async (t) => {
  for (const isChecked of [false, true]) {
    await using to = await setUp();
    const { server, file, target } = to;
    server.bytesPerSecond = CONTENT.length / 2;
    const running = to.run({ maxConnections: 1, isChecked });
    await untilAllIsAsked(to);
    file.etag = '"new"';
    if (isChecked) await running;
    else t.like(await t.throwsAsync(running), { code: "origin_changed" });
    t.is(target.delivered.length, target.geometry.pieceCount - Number(!isChecked));
    nothingIsLeft(t, target);
  }
});

test("fetchPieces() believes an origin that does not answer the last question", async (t) => {
  await using to = await setUp();
  const { server, file } = to;
  server.bytesPerSecond = CONTENT.length / 2;
  const running = to.run({ maxConnections: 1, isChecked: false });
  await untilAllIsAsked(to);
  const asked = server.requests.length;
  file.status = 403;
  await running;
  isWhole(t, to);
  t.is(server.requests.length, asked + 1);
});

test("fetchPieces() ends where the bytes are not those of the torrent", async (t) => {
  await using to = await setUp();
  to.target.answer = (index) => (index === 5 ? "mismatch" : "stored");
  t.like(await t.throwsAsync(to.run()), { code: "origin_changed" });
  nothingIsLeft(t, to.target);
});

test("fetchPieces() fails as the target fails", async (t) => {
  await using to = await setUp();
  to.target.deliver = async (piece) => {
    piece.release();
    to.target.unclaim(piece.index);
    throw new Error("disk is full");
  };
  await t.throwsAsync(to.run(), { message: "disk is full" });
  nothingIsLeft(t, to.target);
});

test("fetchPieces() stops when it is told to, and leaves nothing behind", async (t) => {
  await using to = await setUp({ stallAfterBytes: 100 });
  const stop = new AbortController();
  const acquire = to.target.acquire.bind(to.target);
  to.target.acquire = (index) => {
    stop.abort();
    return acquire(index);
  };
  await t.throwsAsync(to.run({ signal: stop.signal }), { name: "AbortError" });
  nothingIsLeft(t, to.target);
});

test("fetchPieces() asks the throttle for every byte that it reads", async (t) => {
  await using to = await setUp();
  let asked = 0;
  await to.run({
    throttle: (bytes) => {
      asked += bytes;
      return asked % 2 === 0 ? Promise.resolve() : undefined;
    },
  });
  isWhole(t, to);
  t.is(asked, CONTENT.length);
});

test("fetchPieces() opens more connections while they bring more", async (t) => {
  await using to = await setUp({ answerBytesPerSecond: 40_000 });
  await to.run();
  isWhole(t, to);
  t.true(to.server.mostAtOnce > 4, `${to.server.mostAtOnce} at once`);
  t.is(to.server.bytesSent, CONTENT.length);
});

test("fetchPieces() never opens more connections than it may", async (t) => {
  await using to = await setUp({ answerBytesPerSecond: 60_000 });
  await to.run({ maxConnections: 5 });
  isWhole(t, to);
  t.is(to.server.mostAtOnce, 5);
});

test("fetchPieces() shares connections with others that read from the host, and takes theirs when they are gone", async (t) => {
  await using to = await setUp({ answerBytesPerSecond: 100_000 });
  let others = 3;
  const { origin } = to;
  const shared: Origin = {
    probe: (...args) => origin.probe(...args),
    read: (...args) => {
      if (to.target.delivered.length >= 2) others = 0;
      else t.is(to.target.claimed.size, 1, "one connection, with one piece");
      return origin.read(...args);
    },
    othersAt: () => others,
    close: () => origin.close(),
  };
  await to.run({ origin: shared });
  isWhole(t, to);
  t.true(to.server.mostAtOnce >= 4, `${to.server.mostAtOnce} at once`);
});

test("fetchPieces() leaves a connection that is far slower than the others, and loses nothing", async (t) => {
  await using to = await setUp();
  // the others have shown what is usual when the slow one begins
  to.target.answer = () => {
    if (to.target.delivered.length === 3) Object.assign(to.file, { answerBytesPerSecond: 1_500, slowTimes: 1 });
    return "stored";
  };
  const startedMs = performance.now();
  await to.run({ maxConnections: 2 });
  isWhole(t, to);
  // 64 KiB at 1,500 bytes per second would take 44 s
  t.true(performance.now() - startedMs < 10_000);
});

test("fetchPieces() splits what a connection has left when the others are done", async (t) => {
  await using to = await setUp();
  const { target, server, file } = to;
  // a long run that turned slow: what it took at full speed it now has to bring at 10,000 bytes per second
  const claimMissing = target.claimMissing.bind(target);
  let claims = 0;
  target.claimMissing = (most) => claimMissing(++claims === 2 ? 9 : most);
  const serve = (): void => void Object.assign(file, claims === 2 ? { answerBytesPerSecond: 20_000, slowTimes: 1 } : {});
  target.acquire = ((acquire) => (index: number) => (serve(), acquire(index)))(target.acquire.bind(target));
  await to.run({ maxConnections: 2 });
  isWhole(t, to);
  t.true(server.requests.length > 3, "somebody took over");
});

test("fetchPieces() reads an origin without ranges once, whatever gaps there are", async (t) => {
  await using to = await setUp({ noRanges: true });
  for (const index of [0, 3, 4, 7]) {
    CONTENT.copy(to.target.content, index * PIECE, index * PIECE, (index + 1) * PIECE);
    to.target.delivered.push(index);
  }
  await to.run();
  isWhole(t, to);
  t.is(to.server.requests.length, 1);
});

test("fetchPieces() leaves out what the target has, and does nothing for an empty file", async (t) => {
  await using to = await setUp();
  CONTENT.copy(to.target.content, 2 * PIECE, 2 * PIECE, 9 * PIECE);
  to.target.delivered.push(2, 3, 4, 5, 6, 7, 8);
  await to.run();
  isWhole(t, to);
  t.is(to.server.bytesSent, CONTENT.length - 7 * PIECE);
  const before = to.server.requests.length;
  await to.run({ target: new MemoryTarget(0) });
  t.is(to.server.requests.length, before);
});
