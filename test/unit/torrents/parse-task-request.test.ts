/** The body of POST /api/v1/tasks: good ones come through, bad ones say what to change. */
import test from "ava";
import fc from "fast-check";
import { parseTaskRequest } from "../../../torrents/parse-task-request.ts";
import { refuses } from "./refuses.ts";

const full = {
  url: "https://example.com/file?x=1",
  headers: { authorization: "Bearer x", "x-latin": "caf\u00e9\ttab" },
  digest: `sha256:${"a".repeat(64)}`,
  tag: "prod",
  filter: ["sig"],
  range: "0-99",
  tls: { insecure: true },
  pieceLengthBytes: 1 << 20,
  peer: { id: "ab".repeat(20), port: 65002, host: "10.0.0.7", idc: "eu-1", location: "eu|de|fra" },
};

test("parseTaskRequest() takes all fields, and only the URL", (t) => {
  t.deepEqual(parseTaskRequest(JSON.parse(JSON.stringify(full))), full as never);
  t.like(parseTaskRequest({ url: "http://h/" }), { url: "http://h/", headers: {}, peer: undefined, range: undefined });
});

test("parseTaskRequest() lowers header names and drops unknown fields", (t) => {
  t.deepEqual(parseTaskRequest({ url: "http://h/", headers: { "User-Agent": "x" }, more: 1 }).headers, { "user-agent": "x" });
  t.false("more" in parseTaskRequest({ url: "http://h/", more: 1 }));
});

const many = Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`h${at}`, ""]));
for (const [what, change] of Object.entries({
  "no URL": { url: undefined },
  "a URL that is none": { url: "example.com/file" },
  "a URL beyond 8 KiB": { url: `http://h/${"a".repeat(8192)}` },
  "a number for a URL": { url: 5 },
  "headers in a list": { headers: [] },
  "a header with a line end": { headers: { a: "b\r\nc: d" } },
  "a header with a zero": { headers: { a: "b\0" } },
  "a header beyond latin1": { headers: { a: "\u0100" } },
  "a header beyond 16 KiB": { headers: { a: "b".repeat(16385) } },
  "a header name with a space": { headers: { "a b": "c" } },
  "a header name with a line end": { headers: { "a\n": "c" } },
  "an empty header name": { headers: { "": "c" } },
  "a header that is a list": { headers: { a: ["b"] } },
  "more than 100 headers": { headers: many },
  "a digest of another kind": { digest: "md5:00" },
  "a digest in capitals": { digest: `sha256:${"A".repeat(64)}` },
  "a long tag": { tag: "a".repeat(257) },
  "a filter that is a text": { filter: "sig" },
  "a long filter": { filter: Array(51).fill("a") },
  "an open range": { range: "5-" },
  "a range that ends before it begins": { range: "5-4" },
  "a negative range": { range: "-5-4" },
  "a piece length that is no power of two": { pieceLengthBytes: 300_000 },
  "a piece length below 64 KiB": { pieceLengthBytes: 32_768 },
  "a piece length above 16 MiB": { pieceLengthBytes: 1 << 25 },
  "a peer on port 0": { peer: { id: "ab".repeat(20), port: 0 } },
  "a peer on port 65536": { peer: { id: "ab".repeat(20), port: 65536 } },
  "a peer with a host name": { peer: { id: "ab".repeat(20), port: 1, host: "host.example" } },
  "a peer with a short id": { peer: { id: "ab", port: 1 } },
})) {
  test(`parseTaskRequest() refuses ${what}`, (t) => refuses(t, () => parseTaskRequest({ ...full, ...change }), "bad_request"));
}

for (const url of ["https://h/f", "s3://bucket/key", "hdfs://h/f", "webhdfs://h/f", "swebhdfs://h/f", "file:///srv/f"]) {
  test(`parseTaskRequest() takes ${url}`, (t) => t.is(parseTaskRequest({ url }).url, url));
}

for (const url of ["ftp://h/f", "javascript:1", "data:,x", "blob:https://h/f"]) {
  test(`parseTaskRequest() does not support ${url}`, (t) => refuses(t, () => parseTaskRequest({ url }), "unsupported_scheme"));
}

test("parseTaskRequest() of any JSON gives a request or bad_request", (t) => {
  const near = fc.record(
    { url: fc.webUrl(), headers: fc.dictionary(fc.string(), fc.jsonValue()), range: fc.jsonValue() },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), near), (body) => {
      try {
        t.is(typeof parseTaskRequest(body).url, "string");
      } catch (error) {
        t.regex(String((error as { code?: string }).code), /^(bad_request|unsupported_scheme)$/, String(error));
      }
    }),
    { numRuns: 300 },
  );
});
