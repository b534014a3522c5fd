import test from "ava";
import fc from "fast-check";
import type { InfoHash, PeerId } from "../../../../torrents/ids.ts";
import { announceBody, failureBody, scrapeBody } from "../../../../tracker/announce/http-answer.ts";
import { emptyHttpAnnounce, kindOfTarget, readHttpAnnounce, readHttpScrape } from "../../../../tracker/announce/http-query.ts";
import { type RequestSpan, readRequest } from "../../../../tracker/announce/http-request.ts";
import { EVENT, makeAsk } from "../../../../tracker/swarm/ask.ts";
import { SwarmStore } from "../../../../tracker/swarm/swarm-store.ts";

const IDS = `info_hash=${"%AB".repeat(20)}&peer_id=-UT3600-abcdefghijkl`;

function read(target: string) {
  const bytes = Buffer.from(target, "latin1");
  const into = emptyHttpAnnounce();
  const wrong = readHttpAnnounce(bytes, 0, bytes.length, into);
  return { wrong, ...into };
}

test("readHttpAnnounce() reads every field in any order", (t) => {
  const more = "left=5&compact=1&numwant=7&event=completed&no_peer_id=1&idc=FRA1&location=eu%7Cde+north&spare=40&uploaded=9";
  const { wrong, ask, ...rest } = read(`/announce?${more}&port=6881&${IDS}`);
  t.is(wrong, undefined);
  t.is(ask.infoHash, "\xab".repeat(20));
  t.is(ask.peerId.toString("latin1"), "-UT3600-abcdefghijkl");
  t.like(ask, { port: 6881, left: 5, numwant: 7, event: EVENT.completed, spare: 40 });
  t.deepEqual(rest, { compact: true, noPeerId: true, idc: "FRA1", location: "eu|de north", path: "" });
});

test("readHttpAnnounce(): what is not said is BEP 3's default, and nothing is left over from the announce before", (t) => {
  const bytes = Buffer.from(`/announce?${IDS}&port=1&left=0&event=stopped&compact=1&idc=a&spare=1`);
  const plain = Buffer.from(`/announce?${IDS}&port=2`);
  const into = emptyHttpAnnounce();
  readHttpAnnounce(bytes, 0, bytes.length, into);
  readHttpAnnounce(plain, 0, plain.length, into);
  t.like(into.ask, { port: 2, left: Number.POSITIVE_INFINITY, event: EVENT.none, numwant: 50, spare: 255 });
  t.like(into, { compact: false, idc: "" });
});

for (const [target, message] of [
  ["/announce", /no info_hash/],
  [`/announce?${IDS}`, /port/],
  [`/announce?${IDS}&port=0`, /port/],
  [`/announce?${IDS}&port=65536`, /port/],
  [`/announce?${IDS}&port=1e3`, /port/],
  [`/announce?${IDS.replace("%AB", "%A")}&port=1`, /info_hash/],
  [`/announce?${IDS.replace("%AB", "%GG")}&port=1`, /info_hash/],
  [`/announce?${IDS}x&port=1`, /peer_id/],
] as const) {
  test(`readHttpAnnounce() refuses ${target.slice(0, 24)}…${target.slice(-14)} (${message.source})`, (t) => {
    t.regex(read(target).wrong ?? "", message);
  });
}

test("readHttpAnnounce() takes numwant=-1 for as many as we like, and the passkey from the path", (t) => {
  const { ask, path, wrong } = read(`/announce/0123abcd?${IDS}&port=1&numwant=-1`);
  t.is(wrong, undefined);
  t.is(ask.numwant, -1);
  t.is(path, "0123abcd");
});

test("readHttpScrape() reads many info hashes and passes over broken ones", (t) => {
  const bytes = Buffer.from(`/scrape/key?info_hash=${"%01".repeat(20)}&x=1&info_hash=short&info_hash=${"a".repeat(20)}`);
  t.deepEqual(readHttpScrape(bytes, 0, bytes.length), { hashes: ["\x01".repeat(20), "a".repeat(20)], passkey: "key" });
});

test("kindOfTarget() takes whole path segments only", (t) => {
  const kind = (text: string) => kindOfTarget(Buffer.from(text), 0, text.length);
  t.is(kind("/announce?x"), "announce");
  t.is(kind("/announce"), "announce");
  t.is(kind("/announce/key"), "announce");
  t.is(kind("/scrape?x"), "scrape");
  for (const other of ["/announcement", "/api/v1/tasks", "/", "", "/scraper?x"]) t.is(kind(other), "other");
});

const span = (): RequestSpan => ({ kind: "other", start: 0, end: 0, next: 0, keepAlive: false });

function request(lines: string): RequestSpan {
  const into = span();
  readRequest(Buffer.from(lines.replaceAll("\n", "\r\n")), 0, into);
  return into;
}

test("readRequest() takes plain announces, and says whether the connection goes on", (t) => {
  const plain = request("GET /announce?a=b HTTP/1.1\nHost: x\n\n");
  t.deepEqual(plain, { kind: "announce", start: 4, end: 17, next: 39, keepAlive: true });
  t.false(request("GET /announce?a HTTP/1.1\nHost: x\nConnection: close\n\n").keepAlive);
  t.false(request("GET /announce?a HTTP/1.0\nHost: x\n\n").keepAlive);
  t.true(request("GET /announce?a HTTP/1.0\nconnection:  Keep-Alive\n\n").keepAlive);
});

for (const lines of [
  "POST /announce HTTP/1.1\nHost: x\n\n",
  "GET /api/v1/tasks HTTP/1.1\n\n",
  "GET /announce?a HTTP/1.1\nHost: x\n",
  "GET /announce?a HTTP/1.1\nContent-Length: 5\n\nhello",
  "GET /announce?a HTTP/1.1\ntransfer-encoding: chunked\n\n",
  "GET /announce HTTP/1.1\nUpgrade: websocket\nConnection: Upgrade\n\n",
  "GET /announce?a\n\n",
  "GET /announ",
  "",
]) {
  test(`readRequest() leaves ${JSON.stringify(lines)} to the HTTP server`, (t) => {
    t.is(request(lines).kind, "other");
  });
}

test("announceBody() is bencoded in order, with compact peers of both kinds and the caller's own address (BEP 7, 23, 24)", (t) => {
  const hash = "ab".repeat(20) as InfoHash;
  const store = new SwarmStore({ expireMs: () => 1000 });
  store.join({ finals: [hash] });
  const announce = (ip: string, id: string) => {
    const ask = makeAsk({ infoHash: hash, peerId: id.repeat(20) as PeerId, ip, port: 6881 });
    const answer = ask && store.announce(ask, 0, () => 0);
    if (ask === undefined || answer === undefined) throw new Error("no answer");
    return { ask, answer };
  };
  announce("10.0.0.1", "01");
  announce("2001:db8::1", "02");
  const { ask, answer } = announce("10.0.0.2", "03");
  const options = { intervalS: 60, minIntervalS: 5, compact: true, noPeerId: false };
  const v6 = `${Buffer.from("20010db8000000000000000000000001", "hex").toString("latin1")}\x1a\xe1`;
  const head = "d8:completei0e11:external ip4:\x0a\x00\x00\x0210:incompletei3e8:intervali60e12:min intervali5e";
  t.is(announceBody(ask, answer, options), `${head}5:peers6:\x0a\x00\x00\x01\x1a\xe16:peers618:${v6}e`);
  const listed = announceBody(ask, answer, { ...options, compact: false, noPeerId: true });
  t.true(listed.endsWith("5:peersld2:ip8:10.0.0.14:porti6881eed2:ip20:2001:db8:0:0:0:0:0:14:porti6881eeee"), listed);
  const withIds = announceBody(ask, answer, { ...options, compact: false });
  t.true(withIds.includes(`d2:ip8:10.0.0.17:peer id20:${"\x01".repeat(20)}4:porti6881ee`));
});

test("scrapeBody() has the files in order, each once (BEP 48, 21)", (t) => {
  const row = { complete: 1, downloaded: 2, incomplete: 3, downloaders: 3 };
  const body = scrapeBody(
    [
      { hash: "b".repeat(20), ...row },
      { hash: "a".repeat(20), ...row },
      { hash: "b".repeat(20), ...row },
    ],
    60,
  );
  const file = "d8:completei1e10:downloadedi2e11:downloadersi3e10:incompletei3ee";
  const files = `20:${"a".repeat(20)}${file}20:${"b".repeat(20)}${file}`;
  t.is(body, `d5:filesd${files}e5:flagsd20:min_request_intervali60eee`);
});

test("failureBody() counts bytes, not characters", (t) => {
  t.is(Buffer.from(failureBody("é"), "latin1").toString(), "d14:failure reason2:ée");
});

test("no target and no chunk throws, and every announce that is read has a port and 20 bytes of each id", (t) => {
  const piece = fc.constantFrom(
    "&",
    "=",
    "?",
    "/",
    "%",
    "%AB",
    "info_hash",
    "peer_id",
    "port",
    "left",
    "numwant",
    "-",
    "9",
    "\u00ff",
    "location",
    "%E0%A4",
  );
  const target = fc.tuple(
    fc.constantFrom("/announce?", `/announce?${IDS}&`, "/scrape?", "/announce/k?"),
    fc.array(piece, { maxLength: 40 }),
  );
  fc.assert(
    fc.property(target, ([start, pieces]) => {
      const text = start + pieces.join("");
      const { wrong, ask } = read(text);
      if (wrong === undefined) t.true(ask.port > 0 && ask.port < 65536 && ask.infoHash.length === 20);
      readHttpScrape(Buffer.from(text, "latin1"), 0, text.length);
      const into = span();
      readRequest(Buffer.from(`GET ${text} HTTP/1.1\r\n\r\n`, "latin1"), 0, into);
      t.true(into.kind === "other" || into.next > into.end);
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readRequest(Buffer.concat([Buffer.from("GET /announce"), bytes]), 0, span());
    }),
  );
});
