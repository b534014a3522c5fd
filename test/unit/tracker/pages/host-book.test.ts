/** What hosts tell, added up: growth counts once, restarts count nothing twice, and nobody tells in another's name. */
import test from "ava";
import type { TaskStatus } from "../../../../torrents/host-report.ts";
import type { InfoHash, PeerId, TaskId } from "../../../../torrents/ids.ts";
import { HostBook, type Reporter } from "../../../../tracker/pages/host-book.ts";
import { emptyAccount, peerShare, savedBytes, TotalsBook } from "../../../../tracker/pages/totals-book.ts";

const HASH = "ab".repeat(20) as InfoHash;
const TASK = "cd".repeat(32) as TaskId;
const HOST = "2d534b303130302d000000000000000000000001" as PeerId;
const SEEDER = "2d5353303130302d000000000000000000000002" as PeerId;

function bookAt(startMs = 0): HostBook {
  const totals = new TotalsBook({ sinceMs: 0, all: emptyAccount(), tasks: [] });
  return new HostBook({ taskOf: (infoHash) => (infoHash === HASH ? TASK : undefined), totals, startMs });
}

function reporter(more: Partial<Reporter> = {}): Reporter {
  const about = { peerId: HOST, role: "peer", address: "10.0.0.1", port: 65002, name: "h", version: "1", idc: "", location: "" } as const;
  return { ...about, uptimeSeconds: 0, whole: true, ...more };
}

function status(from: Partial<TaskStatus["from"]>, more: Partial<TaskStatus> = {}): TaskStatus {
  return {
    infoHash: HASH,
    bytesHave: 0,
    piecesHave: 0,
    from: { origin: 0, seeder: 0, peers: 0, ...from },
    uploadedBytes: 0,
    downloadBytesPerSecond: 0,
    uploadBytesPerSecond: 0,
    connections: 0,
    ...more,
  };
}

test("take() adds up what grew, by host, by task and over all", (t) => {
  const book = bookAt();
  t.true(book.take(reporter(), [status({ seeder: 100, peers: 50 }, { uploadedBytes: 10 })], 1000));
  t.true(book.take(reporter({ whole: false }), [status({ seeder: 100, peers: 250 }, { uploadedBytes: 30 })], 3000));
  const account = { origin: 0, seeder: 100, peers: 250, fetched: 0, uploaded: 30, seeded: 0 };
  t.deepEqual(book.totals.of(TASK), account);
  t.deepEqual(book.totals.all, account);
  t.deepEqual(book.find(HOST)?.account, { origin: 0, seeder: 100, peers: 250, uploaded: 30 });
  // 200 bytes more from peers within 2 s
  t.deepEqual(book.find(HOST)?.rates, { origin: 0, seeder: 0, peers: 100 });
});

test("take() counts a torrent that was opened again from 0, and what a host tells twice once", (t) => {
  const book = bookAt();
  book.take(reporter(), [status({ peers: 500 })], 1000);
  book.take(reporter({ whole: false }), [status({ peers: 500 })], 3000);
  t.is(book.totals.all.peers, 500);
  book.take(reporter({ whole: false }), [status({ peers: 20 })], 5000);
  t.is(book.totals.all.peers, 520);
});

test("take() wants everything from a host that it does not know, and nothing of before its own time", (t) => {
  const book = bookAt(100_000);
  t.false(book.take(reporter({ whole: false, uptimeSeconds: 50 }), [status({ peers: 500 })], 101_000));
  t.is(book.size, 0);
  t.true(book.take(reporter({ uptimeSeconds: 50 }), [status({ peers: 500 })], 101_000));
  t.is(book.totals.all.peers, 0, "came while an earlier supernode was there");
  t.is(book.find(HOST)?.account.peers, 500);
  book.take(reporter({ whole: false, uptimeSeconds: 52 }), [status({ peers: 600 })], 103_000);
  t.is(book.totals.all.peers, 100);
});

test("take() believes a peer id only from the address that told first", (t) => {
  const book = bookAt();
  book.take(reporter(), [status({ peers: 100 })], 1000);
  t.true(book.take(reporter({ address: "10.9.9.9" }), [status({ peers: 10_000 })], 2000));
  t.is(book.totals.all.peers, 100);
  t.is(book.find(HOST)?.address, "10.0.0.1");
});

test("take() passes over tasks that are not the supernode's, and bounds growth", (t) => {
  const book = bookAt();
  book.take(reporter(), [status({ peers: 100 }, { infoHash: "00".repeat(20) as InfoHash })], 1000);
  t.is(book.find(HOST)?.tasks.size, 0);
  book.take(reporter({ whole: false }), [status({ peers: Number.MAX_SAFE_INTEGER })], 3000);
  // 2 s at 200 Gbit/s
  t.is(book.totals.all.peers, 50e9);
});

test("take() counts what seeders fetch apart, and savedBytes() is what origins did not send", (t) => {
  const book = bookAt();
  book.take(reporter({ peerId: SEEDER, role: "seeder" }), [status({ origin: 1000 }, { uploadedBytes: 1100 })], 1000);
  book.take(reporter(), [status({ seeder: 1000, peers: 3000 })], 1000);
  const account = { origin: 0, seeder: 1000, peers: 3000, fetched: 1000, uploaded: 0, seeded: 1100 };
  t.deepEqual(book.totals.all, account);
  t.is(savedBytes(account), 3000);
  t.is(peerShare(account), 0.75);
  t.is(peerShare(emptyAccount()), undefined);
});

test("rates() leaves out hosts that are late, and expire() forgets those that are silent", (t) => {
  const book = bookAt();
  book.take(reporter(), [], 0);
  book.take(reporter({ whole: false }), [status({ peers: 4000 })], 2000);
  t.deepEqual(book.rates(3000), { origin: 0, seeder: 0, peers: 2000, fetched: 0 });
  // ten seconds after a report it is still the present
  t.is(book.rates(12_000).peers, 2000);
  t.is(book.rates(12_001).peers, 0);
  book.expire(90_000);
  t.is(book.size, 1);
  book.expire(92_001);
  t.is(book.size, 0);
});

test("rates() of a host that was silent are those that it tells itself", (t) => {
  const book = bookAt();
  book.take(reporter(), [], 0);
  const grown = status({ seeder: 1_000_000, peers: 3_000_000 }, { downloadBytesPerSecond: 8000 });
  book.take(reporter({ whole: false }), [grown], 30_000);
  t.deepEqual(book.rates(30_000), { origin: 0, seeder: 2000, peers: 6000, fetched: 0 });
});

test("nextSeconds grows with the number of hosts", (t) => {
  const book = bookAt();
  t.is(book.nextSeconds, 2);
  for (let number = 0; number < 1500; number++) {
    const peerId = number.toString(16).padStart(40, "0") as PeerId;
    book.take(reporter({ peerId, address: `10.0.${number % 9}.1` }), [], 0);
  }
  // 150 reports a second
  t.is(book.nextSeconds, 10);
});

test("take() keeps a thousand hosts of one address, and more when some of them are gone", (t) => {
  const book = bookAt();
  const tell = (number: number, nowMs: number): boolean =>
    book.take(reporter({ peerId: number.toString(16).padStart(40, "0") as PeerId }), [], nowMs);
  for (let number = 0; number < 1001; number++) t.true(tell(number, 0));
  t.is(book.size, 1000);
  tell(2000, 100_000);
  t.is(book.size, 1);
});
