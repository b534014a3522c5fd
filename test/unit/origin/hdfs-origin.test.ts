/** hdfs:// against a name node and a data node that speak WebHDFS. */
import test from "ava";
import { openHdfsOrigin } from "../../../origin/hdfs-origin.ts";
import { openHttpOrigin } from "../../../origin/http-origin.ts";
import { ScriptedOrigin, seededBytes } from "../../support/scripted-origin.ts";
import { WebHdfsServer } from "../../support/webhdfs-server.ts";
import { failsWith, readAll, timeLimit } from "./read-all.ts";

const CONTENT = seededBytes(6, 900_000);

async function setUp(options: { user?: string; owner?: string } = {}) {
  const server = await WebHdfsServer.start();
  const url = server.add("/data/a b+%.bin", CONTENT, options.owner);
  const http = openHttpOrigin();
  const origin = openHdfsOrigin({ http, user: options.user });
  return {
    server,
    origin,
    request: { url, headers: {} },
    async [Symbol.asyncDispose]() {
      await http.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("probe() and read() of a file, whole, in ranges, and through a window", async (t) => {
  await using to = await setUp();
  const probe = await to.origin.probe(to.request, { signal: timeLimit() });
  t.deepEqual(probe, {
    lengthBytes: CONTENT.length,
    ranges: true,
    validators: { etag: `"4010-${CONTENT.length.toString(16)}-18bcfe5687b"`, lastModified: "Tue, 14 Nov 2023 22:13:20 GMT" },
    name: "a b+%.bin",
    cacheControl: "",
  });
  t.true((await readAll(to.origin, to.request, probe)).equals(CONTENT));
  t.true((await readAll(to.origin, to.request, { ...probe, firstByte: 1000, lastByte: 800_000 })).equals(CONTENT.subarray(1000, 800_001)));
  const window = { ...to.request, window: { firstByte: 100, lastByte: 999 } };
  t.is((await to.origin.probe(window, { signal: timeLimit() })).lengthBytes, 900);
  t.true((await readAll(to.origin, window, { firstByte: 5, lastByte: 9 })).equals(CONTENT.subarray(105, 110)));
  t.true(to.server.requests.includes("DATA /data/a b+%.bin 105+5"));
});

test("a file that is replaced between probe and read is origin_changed, before a byte of it counts", async (t) => {
  await using to = await setUp();
  const probe = await to.origin.probe(to.request, { signal: timeLimit() });
  to.server.onOpen = (path) => {
    const file = to.server.files.get(path);
    if (file !== undefined) file.modifiedMs++;
  };
  let got = 0;
  const range = { firstByte: 0, lastByte: 99_999, validators: probe.validators };
  const sink = (chunk: Buffer): void => void (got += chunk.length);
  await failsWith(t, to.origin.read(to.request, range, sink, { signal: timeLimit() }), { code: "origin_changed" });
  t.is(got, 0);
});

test("a data node that breaks off is to be tried again", async (t) => {
  await using to = await setUp();
  to.server.breakAfterBytes = 100_000;
  await failsWith(t, readAll(to.origin, to.request), { code: "origin_failed", retriable: true });
  t.true((await readAll(to.origin, to.request)).equals(CONTENT));
});

test("user.name comes from the URL, else from the settings, and the cluster's refusals come through", async (t) => {
  await using to = await setUp({ user: "skim", owner: "alice" });
  await failsWith(t, to.origin.probe(to.request, { signal: timeLimit() }), { code: "origin_refused", status: 403 });
  const alice = { ...to.request, url: `${to.request.url}?user.name=alice` };
  t.is((await to.origin.probe(alice, { signal: timeLimit() })).lengthBytes, CONTENT.length);
  t.deepEqual(to.server.requests, ["GETFILESTATUS /data/a b+%.bin as skim", "GETFILESTATUS /data/a b+%.bin as alice"]);
  const missing = { ...to.request, url: `${to.server.url}/missing` };
  await failsWith(t, to.origin.probe(missing, { signal: timeLimit() }), { code: "origin_not_found", status: 404 });
});

test("list() shows one level, sorted and bounded", async (t) => {
  await using to = await setUp();
  to.server.add("/data/sub/x", Buffer.from("x"));
  const folder = { url: `${to.server.url}/data`, headers: {} };
  const { entries, truncated } = (await to.origin.list?.(folder, { signal: timeLimit(), most: 10 })) ?? t.fail();
  t.false(truncated);
  t.deepEqual(entries, [
    { name: "a b+%.bin", url: to.request.url, isDirectory: false, lengthBytes: CONTENT.length },
    { name: "sub", url: `${to.server.url}/data/sub`, isDirectory: true, lengthBytes: undefined },
  ]);
  t.like(await to.origin.list?.(folder, { signal: timeLimit(), most: 1 }), { truncated: true });
  await failsWith(t, to.origin.list?.(to.request, { signal: timeLimit(), most: 1 }) ?? Promise.resolve(), { code: "bad_request" });
  await failsWith(t, to.origin.probe(folder, { signal: timeLimit() }), { code: "bad_request" });
});

test("what does not speak WebHDFS is told from what does", async (t) => {
  await using to = await setUp();
  await using other = await ScriptedOrigin.start();
  other.add("/webhdfs/v1/f", Buffer.from("<html>"));
  const request = { url: `${other.url.replace("http:", "hdfs:")}/f`, headers: {} };
  await failsWith(t, to.origin.probe(request, { signal: timeLimit() }), { code: "origin_failed" });
});
