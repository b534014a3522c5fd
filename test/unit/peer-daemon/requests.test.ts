/** What a caller may ask for, and what is refused. */
import test from "ava";
import { checkDigest, checkHeaderLines, checkHeaders, checkMd5, checkRange, checkSupernode } from "../../../peer/daemon/check-request.ts";
import { parseDownloadRequest } from "../../../peer/daemon/parse-download-request.ts";
import { parseTaskEntry, type TaskEntry } from "../../../peer/daemon/task-entry.ts";
import type { InfoHash } from "../../../torrents/ids.ts";

const BAD = { code: "bad_request" };

test("checkHeaderLines() joins repeated names and refuses what the transfer sets itself", (t) => {
  t.deepEqual(checkHeaderLines(["X-A: 1", "x-a:2", "Authorization: Bearer a:b", "cookie: a=1", "Cookie: b=2"]), {
    "x-a": "1, 2",
    authorization: "Bearer a:b",
    cookie: "a=1; b=2",
  });
  for (const line of ["no colon", ": empty", "bad name: 1", "Range: bytes=0-1", "Content-Length: 3", "x: a\r\ny: b"])
    t.throws(() => checkHeaderLines([line]), BAD, line);
});

test("checkHeaders() never repeats a value in its message", (t) => {
  const error = t.throws(() => checkHeaders({ authorization: "secret\u0000" }), BAD);
  t.false(error?.message.includes("secret"));
});

test("checkDigest(), checkMd5() and checkRange() accept their one form", (t) => {
  t.is(checkDigest(`SHA256:${"AB".repeat(32)}`), `sha256:${"ab".repeat(32)}`);
  for (const text of ["ab".repeat(32), "sha256:abc", `sha512:${"ab".repeat(32)}`]) t.throws(() => checkDigest(text), BAD);
  t.is(checkMd5("AB".repeat(16)), "ab".repeat(16));
  t.throws(() => checkMd5("ab"), BAD);
  t.deepEqual(checkRange("0-1023"), { firstByte: 0, lastByte: 1023 });
  for (const text of ["5-4", "-5", "5-", "a-b", "0-1,3-4"]) t.throws(() => checkRange(text), BAD);
});

test("checkSupernode() completes scheme and port", (t) => {
  t.is(checkSupernode("host"), "http://host:8002");
  t.is(checkSupernode("host:80"), "http://host");
  t.is(checkSupernode("https://host/base/"), "https://host/base");
  t.is(checkSupernode("[::1]:9"), "http://[::1]:9");
  for (const text of ["", "http://", "http://h?x=1"]) t.throws(() => checkSupernode(text), BAD);
});

test("parseDownloadRequest() fills defaults", (t) => {
  const request = parseDownloadRequest({
    url: "http://h/f",
    output: "/tmp/a/../b",
    limit: 5,
    notbs: true,
    supernodes: ["s"],
    filter: [],
    digest: "",
  });
  t.like(request, {
    url: "http://h/f",
    output: "/tmp/b",
    limitBytesPerSecond: 5,
    notbs: true,
    supernodes: ["http://s:8002"],
    filter: undefined,
    digest: undefined,
    timeoutMs: 0,
    outputMode: 0o644,
  });
});

test("parseDownloadRequest() refuses what is wrong, field by field", (t) => {
  const bodies: unknown[] = [null, [], "x", {}, { url: 5 }, { url: "relative" }];
  for (const field of [
    { output: "rel" },
    { output: "/a\u0000b" },
    { limit: -1 },
    { limit: 1.5 },
    { timeoutMs: "5" },
    { headers: { a: 5 } },
    { pieceLength: 300_000 },
    { range: "9-1" },
    { mode: 0o7777 },
  ]) {
    bodies.push({ url: "http://h/f", ...field });
  }
  for (const body of bodies) t.throws(() => parseDownloadRequest(body), BAD, JSON.stringify(body));
  t.throws(() => parseDownloadRequest({ url: "ftp://h/f" }), { code: "unsupported_scheme" });
});

test("parseTaskEntry() reads back what was written, and refuses damage", (t) => {
  const entry: TaskEntry = {
    infoHash: "ab".repeat(20) as InfoHash,
    infoHashV1: undefined,
    infoHashV2: undefined,
    url: "http://h/f",
    originKey: "k",
    name: "f",
    lengthBytes: 5,
    pieceLengthBytes: 262_144,
    validators: { etag: '"1"', lastModified: undefined },
    liveInfo: "ZA==",
    trackers: ["http://t/announce", ["udp://u:1", "udp://v:1"]],
    private: false,
    webSeeds: ["http://w/f"],
    dhtNodes: ["n:1"],
    knownPeers: [{ host: "10.0.0.1", port: 5 }],
    local: true,
    volatile: false,
    complete: true,
    lastUsedAtMs: 7,
    pieceCount: 3,
    watched: [{ path: "/e", mtimeNs: "124", lengthBytes: 6 }],
    inPlace: "/folder",
    twin: "cd".repeat(20) as InfoHash,
    linked: { path: "/d", mtimeNs: "123", lengthBytes: 5 },
    pinned: true,
    from: { origin: 1, seeder: 2, peers: 2 },
    sha256: undefined,
    md5: undefined,
  };
  t.deepEqual(parseTaskEntry(JSON.stringify(entry)), entry);
  for (const text of ["", "{}", "[]", JSON.stringify({ ...entry, infoHash: "x" }), JSON.stringify({ ...entry, lengthBytes: -1 })])
    t.throws(() => parseTaskEntry(text));
});
