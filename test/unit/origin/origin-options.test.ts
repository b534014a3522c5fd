import { delimiter, resolve } from "node:path";
import test from "ava";
import { ORIGIN_OPTIONS, readOriginOptions } from "../../../origin/origin-options.ts";
import { parseCommand } from "../../../system/options.ts";

async function read(...args: string[]) {
  const parsed = await parseCommand({ name: "origin-options-test", description: "", options: ORIGIN_OPTIONS }, args);
  return readOriginOptions(parsed?.options ?? {});
}

test("readOriginOptions() of nothing: no folders, all buckets, no limits, 16 connections", async (t) => {
  t.deepEqual(await read(), {
    http: { caFile: undefined, insecure: false },
    fileRoots: [],
    s3: { endpoint: undefined, region: undefined, pathStyle: false, buckets: [] },
    hdfs: { user: undefined },
    limits: { bytesPerSecond: 0, hostBytesPerSecond: 0, connectionsPerHost: 16 },
  });
});

test("readOriginOptions() takes all of them, lists repeated or joined", async (t) => {
  const roots = ["--file-root", `/a${delimiter}b`, "--file-root", "/c"];
  const s3 = ["--s3-endpoint", "https://h:9000", "--s3-region", "eu", "--s3-path-style", "--s3-bucket", "x,y", "--s3-bucket", "z"];
  const limits = ["--origin-limit", "5MB", "--origin-host-limit", "1MB", "--origin-connections", "3"];
  t.deepEqual(await read(...roots, ...s3, ...limits, "--hdfs-user", "me", "--origin-ca", "ca.pem", "--origin-insecure"), {
    http: { caFile: "ca.pem", insecure: true },
    fileRoots: ["/a", resolve("b"), "/c"],
    s3: { endpoint: "https://h:9000", region: "eu", pathStyle: true, buckets: ["x", "y", "z"] },
    hdfs: { user: "me" },
    limits: { bytesPerSecond: 5_000_000, hostBytesPerSecond: 1_000_000, connectionsPerHost: 3 },
  });
});

for (const args of [
  ["--origin-connections", "0"],
  ["--origin-connections", "1.5"],
  ["--origin-connections", "many"],
  ["--origin-connections", "1025"],
  ["--origin-limit", "fast"],
  ["--s3-endpoint", "host:9000"],
]) {
  test(`${args.join(" ")} is a bad request`, async (t) => {
    t.like(await t.throwsAsync(read(...args)), { code: "bad_request" });
  });
}
