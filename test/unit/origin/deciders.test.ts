import test from "ava";
import fc from "fast-check";
import { contentName } from "../../../origin/content-name.ts";
import { firstGrowth, type Growth, judgePace, nextGrowth, piecesToCede, runPieces, shareOf } from "../../../origin/fetch-plan.ts";
import { type Entry, HostGate } from "../../../origin/host-gate.ts";
import {
  basicAuthorization,
  headerLength,
  headerText,
  ifRangeValue,
  isCredential,
  isOtherVersion,
  mayShareCredentials,
  parseContentRange,
  parseUnsatisfiedRange,
  readValidators,
  shownUrl,
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
  for (const name of [
    "Authorization",
    "cookie",
    "PRIVATE-TOKEN",
    "X-Amz-Security-Token",
    "Proxy-Authorization",
    "X-Api-Key",
    "X-My-Secret",
    "x-s3-access-key-id",
    "X-Auth",
  ])
    t.true(isCredential(name), name);
  for (const name of ["user-agent", "accept", "range", "if-none-match", "x-request-id", "cache-control", "x-keyboard"])
    t.false(isCredential(name), name);
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

test("runPieces() begins with one piece, grows with the speed and shrinks towards the end, to what a request is worth", (t) => {
  const MIB = 1024 * 1024;
  const usual = { bytesPerSecond: 0, pieceLengthBytes: MIB, missingPieces: 1000, connections: 4 };
  t.is(runPieces(usual), 1);
  t.is(runPieces({ ...usual, bytesPerSecond: 10 * MIB }), 10);
  t.is(runPieces({ ...usual, bytesPerSecond: 10_000 * MIB }), 16);
  t.is(runPieces({ ...usual, bytesPerSecond: 10_000 * MIB, missingPieces: 12 }), 3);
  t.is(runPieces({ ...usual, bytesPerSecond: 10_000 * MIB, missingPieces: 4 }), 2);
  t.is(runPieces({ ...usual, bytesPerSecond: MIB / 4, missingPieces: 4 }), 1);
  t.is(runPieces({ ...usual, missingPieces: 0, connections: 0 }), 1);
});

test("shareOf() is all of them for who is alone, and one at least", (t) => {
  t.deepEqual(
    [0, 1, 2, 3, 4, 100].map((others) => shareOf(4, others)),
    [4, 2, 1, 1, 1, 1],
  );
  t.is(shareOf(16, 2), 5);
});

/** Connections after each sample of an origin that gives every connection so much, up to so many of them. */
function growOn(origin: { perConnection: number; useful: number; most: number }, samples: number): number[] {
  let now: Growth = firstGrowth(origin.most);
  return Array.from({ length: samples }, () => {
    const bytesPerSecond = Math.min(now.connections, origin.useful) * origin.perConnection;
    now = nextGrowth(now, { bytesPerSecond, isBusy: false, most: origin.most });
    return now.connections;
  });
}

test("nextGrowth() doubles while that pays, and goes back where it does not", (t) => {
  t.is(firstGrowth(2).connections, 2);
  t.deepEqual(growOn({ perConnection: 1e6, useful: 100, most: 16 }, 6), [4, 8, 8, 16, 16, 16]);
  t.deepEqual(growOn({ perConnection: 1e6, useful: 4, most: 16 }, 4), [4, 8, 8, 4]);
  // after 15 samples at 4 it tries again
  t.is(growOn({ perConnection: 1e6, useful: 4, most: 16 }, 20).at(-1), 8);
});

test("nextGrowth() stays within its bounds, and halves where the origin is busy", (t) => {
  const sample = fc.record({ bytesPerSecond: fc.nat(1e9), isBusy: fc.boolean() });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.array(sample), (most, samples) => {
      let now = firstGrowth(most);
      for (const each of samples) {
        const next = nextGrowth(now, { ...each, most });
        t.true(next.connections >= 1 && next.connections <= most);
        if (each.isBusy) t.is(next.connections, Math.max(1, Math.floor(now.connections / 2)));
        now = next;
      }
    }),
  );
});

test("judgePace() tells slow connections from slow origins", (t) => {
  const usual = { typicalBytesPerSecond: 1e6, leftBytes: 1e6 };
  t.is(judgePace({ ...usual, windowBytes: 1e6, windowMs: 3000 }), "good");
  t.is(judgePace({ ...usual, windowBytes: 100_000, windowMs: 3000 }), "behind");
  t.is(judgePace({ ...usual, windowBytes: 100_000, windowMs: 2000 }), "good", "too early to tell");
  t.is(judgePace({ ...usual, windowBytes: 100_000, windowMs: 3000, leftBytes: 50_000 }), "good", "nearly done");
  t.is(judgePace({ windowBytes: 3000, windowMs: 3000, leftBytes: 1e6, typicalBytesPerSecond: undefined }), "good");
  t.is(judgePace({ windowBytes: 3000, windowMs: 30_000, leftBytes: 1e6, typicalBytesPerSecond: undefined }), "drip");
});

test("piecesToCede() gives half of what is untouched, where it would take long", (t) => {
  t.is(piecesToCede({ untouchedPieces: 5, leftBytes: 10e6, bytesPerSecond: 1e6 }), 3);
  t.is(piecesToCede({ untouchedPieces: 5, leftBytes: 2e6, bytesPerSecond: 1e6 }), 0);
  t.is(piecesToCede({ untouchedPieces: 5, leftBytes: 10e6, bytesPerSecond: undefined }), 0);
  t.is(piecesToCede({ untouchedPieces: 0, leftBytes: 10e6, bytesPerSecond: 1e6 }), 0);
});

/** Enters and notes who was let in, in order. */
function entering(gate: HostGate, order: string[]) {
  return (key: string, isProbe = false): Entry => {
    const entry: Entry = { key, isProbe, grant: () => void order.push(key) };
    gate.enter(entry);
    return entry;
  };
}

test("HostGate lets the task with the fewest connections go first, and leaves one to probes", (t) => {
  const order: string[] = [];
  const gate = new HostGate(4);
  const enter = entering(gate, order);
  const big = [enter("big"), enter("big"), enter("big"), enter("big"), enter("big")];
  t.deepEqual(order, ["big", "big", "big"], "the fourth connection is for probes");
  enter("small");
  enter("probe", true);
  t.deepEqual(order.slice(3), ["probe"]);
  gate.leave(big[0]);
  t.deepEqual(order.slice(4), ["small"], "it came later, but holds none");
  t.true(gate.withdraw(big[3]));
  t.false(gate.withdraw(big[0]));
  t.is(gate.waiting, 1);
});

test("HostGate.others() counts tasks that hold a connection or wait, each once, but not the one that asks", (t) => {
  const gate = new HostGate(2);
  const enter = entering(gate, []);
  t.is(gate.others("a"), 0);
  const [first] = [enter("a"), enter("a"), enter("b")];
  t.deepEqual([gate.others("a"), gate.others("b"), gate.others("c")], [1, 1, 2]);
  gate.leave(first);
  t.deepEqual([gate.others("a"), gate.others("b")], [1, 1]);
});

test("HostGate of one connection serves probes and reads in turn; a new limit holds at once", (t) => {
  const order: string[] = [];
  const gate = new HostGate(1);
  const enter = entering(gate, order);
  const read = enter("a");
  enter("b");
  const probe = enter("p", true);
  gate.leave(read);
  t.deepEqual(order, ["a", "p"]);
  gate.leave(probe);
  t.deepEqual(order, ["a", "p", "b"]);
  for (const key of ["c", "d", "e"]) enter(key);
  gate.setLimit(4);
  t.deepEqual(order.slice(3), ["c", "d"], "one of four is for probes");
});

test("HostGate never lets in more than its limit, and nobody waits in vain", (t) => {
  const step = fc.record({ act: fc.constantFrom("enter", "probe", "leave", "withdraw"), at: fc.nat(20) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 60 }), (limit, steps) => {
      const gate = new HostGate(limit);
      const waiting: Entry[] = [];
      const inside: Entry[] = [];
      for (const { act, at } of steps) {
        if (act === "leave" && inside.length > 0) gate.leave(inside.splice(at % inside.length, 1)[0]);
        else if (act === "withdraw" && waiting.length > 0) t.true(gate.withdraw(waiting.splice(at % waiting.length, 1)[0]));
        else if (act === "enter" || act === "probe") {
          const entry: Entry = {
            key: `k${at % 3}`,
            isProbe: act === "probe",
            grant: () => {
              waiting.splice(waiting.indexOf(entry), 1);
              inside.push(entry);
            },
          };
          waiting.push(entry);
          gate.enter(entry);
        }
        t.is(gate.active, inside.length);
        t.is(gate.waiting, waiting.length);
        t.true(gate.active <= limit);
        t.false(waiting.some(({ isProbe }) => isProbe) && gate.active < limit, "a probe waits though there is room");
        t.false(waiting.length > 0 && gate.active < Math.max(1, limit - 1), "a read waits though there is room");
      }
    }),
  );
});

test("mayShareCredentials() is for the same origin, and for its own https", (t) => {
  const may = (from: string, to: string): boolean => mayShareCredentials(new URL(from), new URL(to));
  t.true(may("https://a/x", "https://a/y"));
  t.true(may("http://a/x", "https://a/x"));
  for (const [from, to] of [
    ["https://a/", "http://a/"],
    ["https://a/", "https://b.a/"],
    ["https://a/", "https://a:8443/"],
    ["http://a:81/", "https://a/"],
  ])
    t.false(may(from, to), `${from} to ${to}`);
});

test("basicAuthorization() and shownUrl(): what is in a URL goes to the origin, not into messages", (t) => {
  const url = "https://me:p%40ss@host:8443/dir/f?X-Amz-Signature=secret#x";
  t.is(basicAuthorization(new URL(url)), `Basic ${Buffer.from("me:p@ss").toString("base64")}`);
  t.is(basicAuthorization(new URL("https://host/")), undefined);
  t.is(shownUrl(url), "https://host:8443/dir/f");
});
