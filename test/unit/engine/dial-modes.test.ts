import test from "ava";
import { AddressBook } from "../../../peer/engine/address-book.ts";
import { DialModes } from "../../../peer/engine/dial-modes.ts";
import type { InfoHash } from "../../../torrents/ids.ts";

const LIVE = "aa".repeat(20) as InfoHash;
const FINAL = "bb".repeat(20) as InfoHash;
const FACTS = { nowMs: 1e9, isAlone: false, isBanned: () => false };

function peerOf(infoHash: InfoHash) {
  const book = new AddressBook();
  book.add({ host: "10.0.0.1", port: 1, infoHash });
  return book.take(1, FACTS)[0];
}

test("DialModes.of(): elsewhere one way at once after the other, in the policy's order", (t) => {
  const torrent = { live: undefined, infoHash: LIVE };
  t.deepEqual(new DialModes("allow").of(torrent, peerOf(FINAL)), ["plain", "encrypted"]);
  t.deepEqual(new DialModes("prefer").of(torrent, peerOf(FINAL)), ["encrypted", "plain"]);
});

test("DialModes.of(): in a live swarm two tries plain before one is encrypted", (t) => {
  const torrent = { live: {} as never, infoHash: LIVE };
  const modes = new DialModes("allow");
  const tries = [0, 1, 2, 3, 4].map((failures) => modes.of(torrent, Object.assign(peerOf(LIVE), { failures })));
  t.deepEqual(tries, [["plain"], ["plain"], ["encrypted"], ["encrypted"], ["plain"]]);
});

test("DialModes.of(): what worked comes first the next time", (t) => {
  const torrent = { live: {} as never, infoHash: LIVE };
  const modes = new DialModes("allow");
  const peer = peerOf(LIVE);
  modes.onAnswer({ torrent: torrent as never, peer, mode: "encrypted", later: [] });
  // the connection that worked and ended is one failure
  t.deepEqual(modes.of(torrent, Object.assign(peer, { failures: 1 })), ["encrypted"]);
});
