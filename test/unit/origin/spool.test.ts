/** Content without a length, read into a file first. */
import { readdir, readFile } from "node:fs/promises";
import test from "ava";
import { openHttpOrigin } from "../../../origin/http-origin.ts";
import { type SpoolOptions, spoolOrigin } from "../../../origin/spool.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { type OriginFile, ScriptedOrigin, seededBytes } from "../../support/scripted-origin.ts";
import { failsWith, readAll, timeLimit } from "./read-all.ts";

const CONTENT = seededBytes(12, 2_500_000);

async function setUp(behaviour: Partial<OriginFile> = {}) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const server = stack.use(await ScriptedOrigin.start());
  const origin = openHttpOrigin();
  stack.defer(() => origin.close());
  const request = { url: server.add("/f.bin", CONTENT, { chunked: true, ...behaviour }).url, headers: {} };
  const open = stack.move();
  return {
    server,
    request,
    files: () => readdir(folder.path),
    spool: async (more: Partial<SpoolOptions> = {}) => {
      const probe = await origin.probe(request, { signal: timeLimit() });
      return spoolOrigin({ folder: folder.path, origin, request, probe, signal: timeLimit(), ...more });
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

test("spoolOrigin() tells the length, reads like an origin with ranges, and leaves nothing behind", async (t) => {
  await using to = await setUp();
  const totals: number[] = [];
  {
    await using spool = await to.spool({ onBytes: (total) => totals.push(total) });
    t.like(spool, { lengthBytes: CONTENT.length, probe: { lengthBytes: CONTENT.length, ranges: true } });
    t.true((await readFile(spool.path)).equals(CONTENT));
    t.true((await readAll(spool.origin, to.request)).equals(CONTENT));
    const range = { firstByte: 1_000_000, lastByte: 2_200_000 };
    t.true((await readAll(spool.origin, to.request, range)).equals(CONTENT.subarray(1_000_000, 2_200_001)));
    t.is((await to.files()).length, 1);
  }
  t.deepEqual(await to.files(), []);
  t.deepEqual(
    totals,
    totals.toSorted((a, b) => a - b),
  );
  t.is(totals.at(-1), CONTENT.length);
});

test("spoolOrigin() begins anew after a break, and gives up after three", async (t) => {
  await using to = await setUp({ breakAfterBytes: 2_000_000, breakTimes: 2 });
  await using spool = await to.spool();
  t.true((await readFile(spool.path)).equals(CONTENT));
  await using worse = await setUp({ breakAfterBytes: 2_000_000 });
  await failsWith(t, worse.spool(), { code: "origin_failed", retriable: true });
  t.is(worse.server.requests.length, 1 + 3, "one probe, three reads");
  t.deepEqual(await worse.files(), []);
});

test("spoolOrigin() asks the throttle for every byte, and stops when it is told to", async (t) => {
  await using to = await setUp();
  let asked = 0;
  const throttle = (bytes: number): Promise<void> => Promise.resolve(void (asked += bytes));
  await using spool = await to.spool({ throttle });
  t.is(asked, spool.lengthBytes);
  const stop = new AbortController();
  await t.throwsAsync(to.spool({ signal: stop.signal, throttle: () => (stop.abort(), undefined) }), { name: "AbortError" });
  t.is((await to.files()).length, 1);
});

test("spoolOrigin() of an empty answer is empty", async (t) => {
  await using to = await setUp();
  to.server.files.set("/f.bin", { content: Buffer.alloc(0), chunked: true });
  await using spool = await to.spool();
  t.is(spool.lengthBytes, 0);
});
