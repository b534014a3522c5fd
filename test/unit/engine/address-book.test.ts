import test from "ava";
import { AddressBook, type DialFacts, type KnownPeer } from "../../../peer/engine/address-book.ts";
import type { InfoHash } from "../../../torrents/ids.ts";

const infoHash = "a".repeat(40) as InfoHash;
const peer = (number: number) => ({ host: `10.0.${number >> 8}.${number & 255}`, port: 6881, infoHash });
const HOUR_MS = 3_600_000;
const at = (nowMs: number, facts: Partial<DialFacts> = {}): DialFacts => ({ nowMs, isAlone: false, isBanned: () => false, ...facts });

/** How long after a failure the address is handed out again. */
function pauseOf(book: AddressBook, failedMs: number, facts: Partial<DialFacts>): number {
  for (let ms = 0; ms <= HOUR_MS; ms += 500) if (book.take(1, at(failedMs + ms, facts)).length > 0) return ms;
  return Number.POSITIVE_INFINITY;
}

test("AddressBook.take() hands an address out once until it is released, then after a growing pause", (t) => {
  const book = new AddressBook();
  book.add(peer(1));
  const [taken] = book.take(5, at(1000));
  t.deepEqual(book.take(5, at(HOUR_MS)), []);
  const pauses: number[] = [];
  for (let failure = 0; failure < 6; failure++) {
    book.release(taken, false, HOUR_MS * failure);
    pauses.push(pauseOf(book, HOUR_MS * failure, {}));
  }
  t.deepEqual(pauses, [1000, 2000, 4000, 8000, 16_000, Number.POSITIVE_INFINITY], "six failures in a row are enough");
});

test("AddressBook.take() dials sooner where nobody is connected: a killed seeder comes back within seconds", (t) => {
  const book = new AddressBook();
  book.add(peer(1));
  const [taken] = book.take(1, at(0));
  const pauses: number[] = [];
  for (let failure = 0; failure < 8; failure++) {
    book.release(taken, false, HOUR_MS * failure);
    // the tracker tells of it again
    book.add(peer(1));
    pauses.push(pauseOf(book, HOUR_MS * failure, { isAlone: true }));
  }
  t.deepEqual(pauses, [1000, 2000, 2000, 2000, 2000, 2000, 2000, 2000]);
});

test("AddressBook.add() gives a failed address one more chance, and a known one no second entry", (t) => {
  const book = new AddressBook();
  book.add(peer(1));
  book.add(peer(1));
  const [taken, ...others] = book.take(5, at(0));
  t.deepEqual(others, []);
  for (let failure = 0; failure < 6; failure++) book.release(taken, false, 0);
  book.add(peer(1));
  t.is(book.take(5, at(HOUR_MS)).length, 1);
});

test("AddressBook.release() of a connection that worked begins the pauses anew", (t) => {
  const book = new AddressBook();
  book.add(peer(1));
  const [taken] = book.take(1, at(0));
  for (let failure = 0; failure < 5; failure++) book.release(taken, false, 0);
  book.release(taken, true, 0);
  t.deepEqual(book.take(1, at(999)), []);
  t.is(book.take(1, at(1000)).length, 1);
});

test("AddressBook.forget() is for ever, however often the address is told again", (t) => {
  const book = new AddressBook();
  book.add(peer(1));
  const [ourselves] = book.take(1, at(0));
  book.forget(ourselves);
  // the engine closes the connection to itself, which releases the address
  book.release(ourselves, false, 0);
  book.add(peer(1));
  t.deepEqual(book.take(1, at(HOUR_MS)), []);
});

test("AddressBook knows an address once, and tries its next hash after each failure until one works", (t) => {
  const book = new AddressBook();
  const [live, v1, v2] = ["a", "b", "c"].map((digit) => digit.repeat(40) as InfoHash);
  book.add({ ...peer(1), infoHash: live });
  book.add({ ...peer(1), infoHash: v1 });
  book.addHash(v2);
  const tried: InfoHash[] = [];
  for (let failure = 0; failure < 4; failure++) {
    const [taken, ...others] = book.take(5, at(HOUR_MS * failure));
    t.deepEqual(others, []);
    tried.push(taken.infoHash);
    book.release(taken, false, HOUR_MS * failure);
  }
  t.deepEqual(tried, [live, v1, v2, live]);
  const [taken] = book.take(1, at(HOUR_MS * 5));
  t.is(taken.infoHash, v1);
  book.release(taken, true, HOUR_MS * 5);
  book.release(book.take(1, at(HOUR_MS * 6))[0], false, HOUR_MS * 6);
  t.is(book.take(1, at(HOUR_MS * 7))[0].infoHash, v1);
});

test("AddressBook.take() leaves banned addresses out", (t) => {
  const book = new AddressBook();
  book.add(peer(1));
  book.add(peer(2));
  const isBanned = (host: string, port: number): boolean => host === "10.0.0.1" && port === 6881;
  t.deepEqual(
    book.take(5, at(0, { isBanned })).map(({ host }) => host),
    ["10.0.0.2"],
  );
  t.is(book.take(5, at(0)).length, 1);
});

test("AddressBook bounds what it knows, and makes room by dropping addresses that never answer", (t) => {
  const book = new AddressBook();
  for (let number = 0; number < 1500; number++) book.add(peer(number));
  const taken: KnownPeer[] = book.take(5000, at(0));
  t.is(taken.length, 1000);
  for (const invented of taken) for (let failure = 0; failure < 6; failure++) book.release(invented, false, 0);
  book.add(peer(2000));
  t.deepEqual(
    book.take(5, at(0)).map(({ host }) => host),
    [peer(2000).host],
    "else a liar's thousand addresses would keep every other peer out",
  );
});
