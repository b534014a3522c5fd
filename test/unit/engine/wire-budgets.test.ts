/** Bounds on what one peer may have of us: budgets of events, addresses, metadata, and pieces that sockets write from. */
import test from "ava";
import { EventBudget } from "../../../peer/engine/event-budget.ts";
import { MetadataDesk } from "../../../peer/engine/metadata-exchange.ts";
import type { PeerLink } from "../../../peer/engine/peer-link.ts";
import { encodePex, parsePex } from "../../../peer/engine/pex.ts";
import { PexRounds } from "../../../peer/engine/pex-rounds.ts";
import type { Slot } from "../../../peer/engine/piece-buffers.ts";
import { SentPieces } from "../../../peer/engine/sent-pieces.ts";
import { decodePrefix, dictInt, encode } from "../../../torrents/bencode.ts";
import { refuses } from "../torrents/refuses.ts";

test("EventBudget allows the burst, then the rate, and never saves up more than the burst", (t) => {
  const budget = new EventBudget({ perSecond: 2, burst: 3 }, 0);
  const taken = (nowMs: number): number => Array.from({ length: 10 }, () => budget.take(nowMs)).filter(Boolean).length;
  t.is(taken(0), 3);
  t.is(taken(1000), 2);
  t.is(taken(999_000), 3);
  t.is(taken(998_000), 0, "a clock that goes back gives nothing");
});

test("PexRounds.hear() reads what comes as often as it may, passes over the rest, and ends a flood", (t) => {
  const rounds = new PexRounds();
  const link = {} as PeerLink;
  const payload = encodePex({ added: [{ host: "192.0.2.1", port: 7 }], dropped: [] }) as Buffer;
  const heard = Array.from({ length: 10 }, () => rounds.hear(link, payload, 0).length);
  t.deepEqual(heard, [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
  t.is(rounds.hear(link, payload, 30_000).length, 1);
  t.is(rounds.hear({} as PeerLink, payload, 0).length, 1, "each peer has its own");
  refuses(t, () => {
    for (let at = 0; at < 300; at++) rounds.hear(link, payload, 30_000);
  });
});

test("EventBudget takes what a thing costs, and nothing where that is not left", (t) => {
  const budget = new EventBudget({ perSecond: 10, burst: 100 }, 0);
  t.deepEqual([budget.take(0, 60), budget.take(0, 60), budget.take(0, 40)], [true, false, true]);
  t.deepEqual([budget.take(1000, 11), budget.take(1000, 10)], [false, true]);
});

test("PexRounds.tick() tells of everyone, fifty in each round", (t) => {
  const rounds = new PexRounds();
  const told: string[] = [];
  const far = (at: number) => ({ extensions: { pex: 0 }, listenPort: 1000 + at, connection: { host: "192.0.2.1" } });
  const near = { extensions: { pex: 1 }, listenPort: 0, connection: { host: "192.0.2.2", send: (message: Buffer) => hear(message) } };
  const hear = (message: Buffer): void => void told.push(...parsePex(message.subarray(6)).map(({ port }) => String(port)));
  const links = new Set([...Array.from({ length: 120 }, (_, at) => far(at)), near]) as unknown as ReadonlySet<PeerLink>;
  const counts = [1, 60_001, 120_001, 180_001].map((nowMs) => {
    rounds.tick(links, nowMs);
    return told.length;
  });
  t.deepEqual(counts, [50, 100, 120, 120]);
  t.is(new Set(told).size, 120);
});

test("MetadataDesk gives the whole dict twice and some more, then waits, then ends the connection", (t) => {
  const desk = new MetadataDesk<object>();
  const info = Buffer.alloc(40_000, 7);
  const peer = {};
  const ask = (piece: number, nowMs = 0) => desk.answer(peer, { payload: encode({ msg_type: 0, piece }), info }, nowMs);
  const parts = [0, 1, 2].map((piece) => {
    const answer = ask(piece) as Buffer;
    const { value, lengthBytes } = decodePrefix(answer);
    t.is(dictInt(value as never, "total_size"), info.length);
    return answer.subarray(lengthBytes);
  });
  t.true(Buffer.concat(parts).equals(info));
  t.is(dictInt(decodePrefix(ask(3) as Buffer).value as never, "msg_type"), 2, "past the end: reject");
  // 2 × 3 pieces + 16, of which four are gone
  t.is(Array.from({ length: 30 }, () => ask(0)).filter((answer) => answer !== undefined).length, 18);
  t.truthy(ask(0, 1000));
  refuses(t, () => {
    for (let at = 0; at < 600; at++) ask(0, 1000);
  });
});

test("MetadataDesk rejects what it does not have, and leaves data and overlong messages alone", (t) => {
  const desk = new MetadataDesk<object>();
  const answer = (payload: Buffer) => desk.answer({}, { payload, info: undefined }, 0);
  t.true(answer(encode({ msg_type: 0, piece: 0 }))?.equals(encode({ msg_type: 2, piece: 0 })));
  t.is(answer(encode({ msg_type: 1, piece: 0 })), undefined);
  t.is(answer(Buffer.alloc(2000)), undefined);
  refuses(t, () => answer(Buffer.from("nonsense")));
});

test("SentPieces lets sockets share a piece, and holds no more than its bytes", (t) => {
  const slot = (): Slot => ({ memory: {} as never, offset: 0, bytes: Buffer.alloc(10), references: 1, key: undefined });
  const sent = new SentPieces(25);
  const [a, b, c] = [slot(), slot(), slot()];
  t.true(sent.hold(a) && sent.hold(b) && sent.hold(a));
  t.false(sent.hold(c));
  sent.release(a);
  t.false(sent.hold(c), "another socket still writes from it");
  sent.release(a);
  t.true(sent.hold(c));
});
