import test from "ava";
import { AddressBook, type KnownPeer } from "../../../peer/engine/address-book.ts";
import type { InfoHash } from "../../../torrents/ids.ts";

const infoHash = "a".repeat(40) as InfoHash;
const peer = (number: number) => ({ host: `10.0.${number >> 8}.${number & 255}`, port: 6881, infoHash });
const HOUR_MS = 3_600_000;

test("AddressBook.take() hands an address out once until it is released, then after a growing pause", (t) => {
  const book = new AddressBook();
  book.add(peer(1));
  const pauses: number[] = [];
  let nowMs = 1000;
  for (let failure = 0; failure < 6; failure++) {
    const [taken] = book.take(5, nowMs);
    t.deepEqual(book.take(5, nowMs), []);
    book.release(taken, false, nowMs);
    pauses.push(taken.nextDialMs - nowMs);
    t.deepEqual(book.take(5, taken.nextDialMs - 1), []);
    nowMs = taken.nextDialMs;
  }
  t.deepEqual(pauses, [1000, 2000, 4000, 8000, 16_000, 30_000]);
  t.deepEqual(book.take(5, nowMs + HOUR_MS), [], "six failures in a row are enough");
});

test("AddressBook.add() gives a failed address one more chance, and a known one no second entry", (t) => {
  const book = new AddressBook();
  book.add(peer(1));
  book.add(peer(1));
  const [taken, ...others] = book.take(5, 0);
  t.deepEqual(others, []);
  for (let failure = 0; failure < 6; failure++) book.release(taken, false, 0);
  book.add(peer(1));
  t.is(book.take(5, HOUR_MS).length, 1);
});

test("AddressBook.release() of a connection that worked begins the pauses anew", (t) => {
  const book = new AddressBook();
  book.add(peer(1));
  const [taken] = book.take(1, 0);
  for (let failure = 0; failure < 5; failure++) book.release(taken, false, 0);
  book.release(taken, true, 0);
  t.is(taken.nextDialMs, 1000);
});

test("AddressBook.forget() is for ever, however often the address is told again", (t) => {
  const book = new AddressBook();
  book.add(peer(1));
  const [ourselves] = book.take(1, 0);
  book.forget(ourselves);
  // the engine closes the connection to itself, which releases the address
  book.release(ourselves, false, 0);
  book.add(peer(1));
  t.deepEqual(book.take(1, HOUR_MS), []);
});

test("AddressBook.take() leaves banned addresses out until the ban ends", (t) => {
  const book = new AddressBook();
  book.add(peer(1));
  book.add(peer(2));
  book.ban("10.0.0.1 6881", 0);
  t.true(book.isBanned("10.0.0.1 6881", 29 * 60_000));
  t.deepEqual(
    book.take(5, 0).map(({ host }) => host),
    ["10.0.0.2"],
  );
  t.false(book.isBanned("10.0.0.1 6881", 30 * 60_000));
  t.is(book.bannedCount, 0);
  t.is(book.take(5, 30 * 60_000).length, 1);
});

test("AddressBook bounds what it knows, and makes room by dropping addresses that never answer", (t) => {
  const book = new AddressBook();
  for (let number = 0; number < 1500; number++) book.add(peer(number));
  const taken: KnownPeer[] = book.take(5000, 0);
  t.is(taken.length, 1000);
  for (const invented of taken) for (let failure = 0; failure < 6; failure++) book.release(invented, false, 0);
  book.add(peer(2000));
  t.deepEqual(
    book.take(5, 0).map(({ host }) => host),
    [peer(2000).host],
    "else a liar's thousand addresses would keep every other peer out",
  );
  for (let who = 0; who < 1500; who++) book.ban(`peer ${who}`, 0);
  t.is(book.bannedCount, 1000);
});
