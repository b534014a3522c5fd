/** s3:// against s3rver, which checks signatures. */
import test from "ava";
import { openHttpOrigin } from "../../../origin/http-origin.ts";
import { openS3Origin, type S3OriginOptions } from "../../../origin/s3-origin.ts";
import { S3_BUCKET, S3_CREDENTIALS, startS3Server } from "../../support/s3-server.ts";
import { seededBytes } from "../../support/scripted-origin.ts";
import { failsWith, readAll, timeLimit } from "./read-all.ts";

const CONTENT = seededBytes(4, 700_000);
const KEY = "dir/ä model+1.bin";
const URL_OF_KEY = `s3://${S3_BUCKET}/dir/%C3%A4%20model%2B1.bin`;

async function setUp(options: Partial<S3OriginOptions> = {}) {
  const server = await startS3Server();
  await server.put(KEY, CONTENT);
  const http = openHttpOrigin();
  const origin = openS3Origin({ http, endpoint: server.endpoint, pathStyle: true, credentials: S3_CREDENTIALS, ...options });
  return {
    server,
    origin,
    request: { url: URL_OF_KEY, headers: {} },
    async [Symbol.asyncDispose]() {
      await origin.close();
      await http.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("probe() and read() of an object, whole and in ranges", async (t) => {
  await using to = await setUp();
  const probe = await to.origin.probe(to.request, { signal: timeLimit() });
  t.like(probe, { lengthBytes: CONTENT.length, ranges: true, name: "ä model+1.bin" });
  t.regex(probe.validators.etag ?? "", /^"[0-9a-f]{32}"$/);
  t.true((await readAll(to.origin, to.request)).equals(CONTENT));
  const range = { firstByte: 1000, lastByte: 650_000, validators: probe.validators, lengthBytes: CONTENT.length };
  t.true((await readAll(to.origin, to.request, range)).equals(CONTENT.subarray(1000, 650_001)));
});

test("an object that was overwritten is origin_changed", async (t) => {
  await using to = await setUp();
  const { validators } = await to.origin.probe(to.request, { signal: timeLimit() });
  await to.server.put(KEY, seededBytes(5, CONTENT.length));
  await failsWith(t, readAll(to.origin, to.request, { firstByte: 5, lastByte: 9, validators }), { code: "origin_changed" });
});

test("wrong secrets are refused by the service's check of the signature, missing keys are not found", async (t) => {
  await using to = await setUp({ credentials: { ...S3_CREDENTIALS, secretAccessKey: "wrong" } });
  await failsWith(t, to.origin.probe(to.request, { signal: timeLimit() }), { code: "origin_refused", status: 403 });
  const headers = { "X-S3-Access-Key-Id": S3_CREDENTIALS.accessKeyId, "X-S3-Secret-Access-Key": S3_CREDENTIALS.secretAccessKey };
  t.is((await to.origin.probe({ ...to.request, headers }, { signal: timeLimit() })).lengthBytes, CONTENT.length, "the caller's own count");
  const missing = { url: `s3://${S3_BUCKET}/missing`, headers };
  await failsWith(t, to.origin.probe(missing, { signal: timeLimit() }), { code: "origin_not_found" });
  const half = { ...to.request, headers: { "x-s3-access-key-id": "only" } };
  await failsWith(t, to.origin.probe(half, { signal: timeLimit() }), { code: "bad_request" });
});

test("only allowed buckets are read with our credentials; those of a caller decide for themselves", async (t) => {
  await using to = await setUp({ buckets: ["others"] });
  await failsWith(t, to.origin.probe(to.request, { signal: timeLimit() }), { code: "origin_refused" });
  await failsWith(t, to.origin.list?.(to.request, { signal: timeLimit(), most: 5 }) ?? Promise.resolve(), { code: "origin_refused" });
  const headers = { "x-s3-access-key-id": S3_CREDENTIALS.accessKeyId, "x-s3-secret-access-key": S3_CREDENTIALS.secretAccessKey };
  t.is((await to.origin.probe({ ...to.request, headers }, { signal: timeLimit() })).lengthBytes, CONTENT.length);
});

test("buckets and folders are no objects, and a broken escape is no key", async (t) => {
  await using to = await setUp();
  for (const url of [`s3://${S3_BUCKET}`, `s3://${S3_BUCKET}/dir/`, "s3:///key", `s3://${S3_BUCKET}/%zz`])
    await failsWith(t, to.origin.probe({ url, headers: {} }, { signal: timeLimit() }), { code: "bad_request" });
});

test("list() shows one level of keys, as files and folders, bounded", async (t) => {
  await using to = await setUp();
  await to.server.put("dir/sub/x", Buffer.from("x"));
  await to.server.put("dir/b", Buffer.from("bb"));
  const { entries } =
    (await to.origin.list?.({ url: `s3://${S3_BUCKET}/dir`, headers: {} }, { signal: timeLimit(), most: 10 })) ?? t.fail();
  t.deepEqual(
    entries.map(({ name, isDirectory, lengthBytes }) => ({ name, isDirectory, lengthBytes })),
    [
      { name: "b", isDirectory: false, lengthBytes: 2 },
      { name: "sub", isDirectory: true, lengthBytes: undefined },
      { name: "ä model+1.bin", isDirectory: false, lengthBytes: CONTENT.length },
    ],
  );
  t.is((await readAll(to.origin, { url: entries[2].url, headers: {} })).length, CONTENT.length);
  t.like(await to.origin.list?.({ url: entries[1].url, headers: {} }, { signal: timeLimit(), most: 10 }), {
    entries: [{ name: "x", isDirectory: false, lengthBytes: 1, url: `s3://${S3_BUCKET}/dir/sub/x` }],
    truncated: false,
  });
  t.like(await to.origin.list?.({ url: `s3://${S3_BUCKET}/dir/`, headers: {} }, { signal: timeLimit(), most: 2 }), { truncated: true });
});
