import test from "ava";
import fc from "fast-check";
import { contentName } from "../../../origin/content-name.ts";
import { runPieces } from "../../../origin/fetch-plan.ts";
import {
  headerLength,
  headerText,
  ifRangeValue,
  isCredential,
  isOtherVersion,
  parseContentRange,
  parseUnsatisfiedRange,
  readValidators,
} from "../../../origin/http-headers.ts";
import { parseRetryAfter, retryDelayMs } from "../../../origin/retry-delay.ts";

const URL_TEXT = "https://host/dir/file%20name.bin?x=1#y";
for (const [disposition, url, name] of [
  [undefined, URL_TEXT, "file name.bin"],
  [undefined, "https://host/", "download"],
  [undefined, "https://host", "download"],
  [undefined, "https://host/a/..%2f..%2fetc%2fpasswd", "passwd"],
  [undefined, "https://host/%2e%2e", "download"],
  [undefined, "https://host/100%25%zz", "100%25%zz"],
  ["attachment", URL_TEXT, "file name.bin"],
  ["attachment; filename=plain.txt", URL_TEXT, "plain.txt"],
  ["attachment; filename=plain.txt; size=7", URL_TEXT, "plain.txt"],
  ['attachment; filename="with \\"quotes\\"; and more.txt"', URL_TEXT, 'with "quotes"; and more.txt'],
  ["attachment; filename=\"fallback.txt\"; filename*=UTF-8''na%C3%AFve.txt", URL_TEXT, "naïve.txt"],
  ["attachment; filename*=utf-8''a%2Fb%00c", URL_TEXT, "b_c"],
  ['attachment; filename="../../.bashrc"', URL_TEXT, ".bashrc"],
  ['attachment; filename=".."', URL_TEXT, "download"],
  ['attachment; filename="C:\\\\temp\\\\x.exe"', URL_TEXT, "C:_temp_x.exe"],
  ["attachment; filename*=UTF-8''%zz", URL_TEXT, "%zz"],
] as const) {
  test(`contentName() of ${disposition ?? url} is ${name}`, (t) => t.is(contentName(disposition, url), name));
}

test("contentName() is a safe name, whatever the header says", (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string({ unit: "binary" }).map((text) => `attachment; filename="${text}"`),
      ),
      (disposition) => {
        const name = contentName(disposition, "https://host/x");
        t.notRegex(name, /[/\\\0\n\r]/);
        t.false(name === "" || name === "." || name === ".." || Buffer.byteLength(name) > 255);
      },
    ),
  );
});

test("parseContentRange() and parseUnsatisfiedRange() read what is well formed, and nothing else", (t) => {
  t.deepEqual(parseContentRange("bytes 0-99/1000"), { firstByte: 0, lastByte: 99, totalBytes: 1000 });
  t.deepEqual(parseContentRange("bytes 5-5/*"), { firstByte: 5, lastByte: 5, totalBytes: undefined });
  t.is(parseUnsatisfiedRange("bytes */1000"), 1000);
  for (const text of [
    undefined,
    "",
    "bytes",
    "bytes 0-99",
    "bytes -5/10",
    "bytes */10",
    "bytes 0-9/x",
    "items 0-9/10",
    "bytes 0-1/2, bytes 3-4/5",
  ]) {
    t.is(parseContentRange(text), undefined, text);
  }
  for (const text of [undefined, "bytes */*", "bytes 0-1/2", "bytes */-1", `bytes */${"9".repeat(30)}`])
    t.is(parseUnsatisfiedRange(text), undefined, text);
});

test("headerLength() is a whole number or nothing", (t) => {
  t.is(headerLength({ "content-length": "17" }, "content-length"), 17);
  for (const text of ["-1", "1.5", "1e3", "0x10", "", "9".repeat(30)])
    t.is(headerLength({ "content-length": text }, "content-length"), undefined);
  t.is(headerLength({ "content-length": ["5", "5"] }, "content-length"), undefined, "a header sent twice is not trusted");
  t.is(headerText({ a: ["1", "2"] }, "a"), "1, 2");
});

test("ifRangeValue() is a strong ETag, else a date where there is no ETag at all", (t) => {
  const lastModified = "Mon, 01 Jan 2024 00:00:00 GMT";
  t.is(ifRangeValue({ etag: '"a"', lastModified }), '"a"');
  t.is(ifRangeValue({ etag: 'W/"a"', lastModified }), undefined);
  t.is(ifRangeValue({ lastModified }), lastModified);
  t.is(ifRangeValue({}), undefined);
});

test("isOtherVersion() tells by the ETag first, weak or strong, then by the date, and trusts where nothing can be compared", (t) => {
  t.true(isOtherVersion({ etag: '"a"' }, { etag: '"b"' }));
  t.false(isOtherVersion({ etag: 'W/"a"' }, { etag: '"a"' }));
  t.false(isOtherVersion({ etag: '"a"', lastModified: "x" }, { etag: '"a"', "last-modified": "y" }));
  t.true(isOtherVersion({ lastModified: "x" }, { "last-modified": "y" }));
  t.false(isOtherVersion({ etag: '"a"' }, {}));
  t.false(isOtherVersion({}, { etag: '"a"' }));
});

test("readValidators() keeps what a stranger sends short", (t) => {
  const { etag, lastModified } = readValidators({ etag: "e".repeat(5000), "last-modified": "l".repeat(5000) });
  t.is(etag?.length, 1024);
  t.is(lastModified?.length, 128);
});

test("isCredential() knows them in any spelling", (t) => {
  for (const name of ["Authorization", "cookie", "PRIVATE-TOKEN", "X-Amz-Security-Token", "Proxy-Authorization"])
    t.true(isCredential(name), name);
  for (const name of ["user-agent", "accept", "range"]) t.false(isCredential(name), name);
});

test("retryDelayMs() grows, spreads, and stays below ten seconds, or a minute where it was asked for", (t) => {
  fc.assert(
    fc.property(fc.nat(100), fc.nat(999), (tries, chance) => {
      const delay = retryDelayMs({ tries, retryAfterMs: undefined }, () => chance / 1000);
      t.true(delay >= 100 && delay <= 10_100);
    }),
  );
  const longest = [0, 1, 2, 5].map((tries) => retryDelayMs({ tries, retryAfterMs: undefined }, () => 1));
  t.deepEqual(longest, [100 + 200, 100 + 400, 100 + 800, 100 + 6400]);
  t.is(
    retryDelayMs({ tries: 0, retryAfterMs: 3000 }, () => 0),
    3000,
  );
  t.is(
    retryDelayMs({ tries: 0, retryAfterMs: 1e9 }, () => 0),
    60_000,
  );
});

test("parseRetryAfter() reads seconds and dates", (t) => {
  const nowMs = Date.parse("Mon, 01 Jan 2024 00:00:00 GMT");
  t.is(parseRetryAfter("7", nowMs), 7000);
  t.is(parseRetryAfter("Mon, 01 Jan 2024 00:00:30 GMT", nowMs), 30_000);
  t.is(parseRetryAfter("Sun, 31 Dec 2023 00:00:00 GMT", nowMs), 0);
  for (const text of [undefined, "", "soon", "-5 minutes"]) t.is(parseRetryAfter(text, nowMs), undefined, text);
});

test("runPieces() begins with one piece, grows with the speed and shrinks towards the end", (t) => {
  const MIB = 1024 * 1024;
  const usual = { bytesPerSecond: 0, pieceLengthBytes: MIB, missingPieces: 1000, connections: 4 };
  t.is(runPieces(usual), 1);
  t.is(runPieces({ ...usual, bytesPerSecond: 10 * MIB }), 5);
  t.is(runPieces({ ...usual, bytesPerSecond: 10_000 * MIB }), 16);
  t.is(runPieces({ ...usual, bytesPerSecond: 10_000 * MIB, missingPieces: 8 }), 2);
  t.is(runPieces({ ...usual, missingPieces: 0, connections: 0 }), 1);
});
