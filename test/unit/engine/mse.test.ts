/** Message stream encryption: our two sides against each other, however the stream is cut; what is hostile only throws. */
import { hash, randomBytes } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { dialOrder, type EncryptionPolicy, offeredCrypto, selectCrypto } from "../../../peer/engine/mse/encryption-policy.ts";
import { IncomingOpening } from "../../../peer/engine/mse/incoming-opening.ts";
import { PRIVATE_KEY_BYTES, PUBLIC_KEY_BYTES, publicKeyOf, sharedSecret } from "../../../peer/engine/mse/key-agreement.ts";
import { MseDesk } from "../../../peer/engine/mse/mse-desk.ts";
import { MseInitiator } from "../../../peer/engine/mse/mse-initiator.ts";
import type { Opening, OpeningStep } from "../../../peer/engine/mse/mse-keys.ts";
import { CRYPTO, skeyName } from "../../../peer/engine/mse/mse-keys.ts";
import { MseResponder } from "../../../peer/engine/mse/mse-responder.ts";
import { Rc4 } from "../../../peer/engine/mse/rc4.ts";
import { encodeHandshake } from "../../../peer/engine/wire/handshake.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { refuses } from "../torrents/refuses.ts";

const INFO_HASH = "0123456789abcdef0123456789abcdef01234567" as InfoHash;
const HELLO = encodeHandshake({ infoHash: INFO_HASH, peerId: "aa".repeat(20) as PeerId });
const BOTH = CRYPTO.rc4 | CRYPTO.plaintext;

function initiator(offered: number = BOTH, infoHash = INFO_HASH): MseInitiator {
  return new MseInitiator({ infoHash, payload: HELLO, offered, randomBytes });
}

function responder(select: (offered: number) => number = (offered) => offered & CRYPTO.rc4): MseResponder {
  const findTorrent = (name: Buffer): InfoHash | undefined => (name.equals(skeyName(INFO_HASH)) ? INFO_HASH : undefined);
  return new MseResponder({ findTorrent, select, randomBytes });
}

/** Feeds in runs of the given lengths; answers what it replied, and the last step. */
function feedCut(opening: Opening, bytes: Buffer, lengths: readonly number[]): { reply: Buffer; step: OpeningStep; used: number } {
  const replies: Buffer[] = [];
  let step: OpeningStep = { kind: "more" };
  let at = 0;
  for (let turn = 0; at < bytes.length && step.kind === "more"; turn++) {
    const count = lengths[turn % lengths.length];
    step = opening.feed(Buffer.from(bytes.subarray(at, at + count)));
    if (step.reply !== undefined) replies.push(step.reply);
    at += count;
  }
  return { reply: Buffer.concat(replies), step, used: at };
}

/** Both sides until both are done; `after` follows the responder's choice in the clear of the stream. */
function shake(a: MseInitiator, b: Opening, lengths: readonly number[]): { a: OpeningStep; b: OpeningStep } {
  const first = feedCut(b, a.begin(), lengths);
  const second = feedCut(a, first.reply, lengths);
  const third = feedCut(b, second.reply, lengths);
  const fourth = feedCut(a, third.reply, lengths);
  return { a: fourth.step, b: third.step };
}

test("Rc4 makes the key stream of RC4 from byte 1024 on", (t) => {
  // RFC 6229, 40-bit key 0102030405, offset 1024
  t.is(new Rc4(Buffer.from("0102030405", "hex")).applied(Buffer.alloc(16)).toString("hex"), "30abbcc7c20b01609f23ee2d5f6bb7df");
  // RFC 6229, 128-bit key 0102…10, offset 1024
  t.is(
    new Rc4(Buffer.from("0102030405060708090a0b0c0d0e0f10", "hex")).applied(Buffer.alloc(16)).toString("hex"),
    "bdf0324e6083dcc6d3cedd3ca8c53c16",
  );
});

test("sharedSecret() agrees on both sides, and refuses keys that give the secret away", (t) => {
  const a = randomBytes(PRIVATE_KEY_BYTES);
  const b = randomBytes(PRIVATE_KEY_BYTES);
  t.true(sharedSecret(a, publicKeyOf(b)).equals(sharedSecret(b, publicKeyOf(a))));
  t.is(publicKeyOf(a).length, PUBLIC_KEY_BYTES);
  const one = Buffer.alloc(PUBLIC_KEY_BYTES);
  one[PUBLIC_KEY_BYTES - 1] = 1;
  for (const bad of [Buffer.alloc(PUBLIC_KEY_BYTES), one, Buffer.alloc(PUBLIC_KEY_BYTES, 0xff)]) refuses(t, () => sharedSecret(a, bad));
});

test("initiator and responder agree however the stream is cut, and the ciphers go on in step", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 4 }),
      fc.constantFrom(CRYPTO.rc4, CRYPTO.plaintext),
      (lengths, chosen) => {
        const ends = shake(
          initiator(),
          responder(() => chosen),
          lengths,
        );
        if (ends.a.kind !== "done" || ends.b.kind !== "done") return t.fail(`${ends.a.kind} ${ends.b.kind}`);
        t.true(ends.b.bytes.equals(HELLO));
        t.is(ends.a.ciphers === undefined, chosen === CRYPTO.plaintext);
        t.is(ends.b.ciphers === undefined, chosen === CRYPTO.plaintext);
        const text = Buffer.from("more of the stream");
        for (const [from, to] of [
          [ends.a.ciphers, ends.b.ciphers],
          [ends.b.ciphers, ends.a.ciphers],
        ])
          if (from !== undefined && to !== undefined) t.true(to.incoming.applied(from.outgoing.applied(text)).equals(text));
      },
    ),
    { numRuns: 40 },
  );
});

test("what follows the handshake in the same read comes out decrypted, on both sides", (t) => {
  const a = initiator();
  const b = responder();
  const first = b.feed(a.begin());
  const second = a.feed(first.reply as Buffer);
  const third = b.feed(second.reply as Buffer);
  if (third.kind !== "done") return t.fail();
  const fourth = a.feed(Buffer.concat([third.reply as Buffer, third.ciphers?.outgoing.applied(Buffer.from("answer")) as Buffer]));
  if (fourth.kind !== "done") return t.fail();
  t.is(fourth.bytes.toString(), "answer");
  t.is(hash("sha1", third.bytes, "hex"), hash("sha1", HELLO, "hex"));
});

test("the responder ends with a torrent that it does not have, an offer that does not suit, and garbage of any length", (t) => {
  const stranger = initiator(BOTH, "ff".repeat(20) as InfoHash);
  const b = responder();
  const offer = stranger.feed(b.feed(stranger.begin()).reply as Buffer).reply as Buffer;
  refuses(t, () => b.feed(offer));
  refuses(t, () =>
    shake(
      initiator(CRYPTO.plaintext),
      responder((offered) => offered & CRYPTO.rc4),
      [1000],
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 700, maxLength: 3000 }), (bytes) => refuses(t, () => responder().feed(Buffer.from(bytes)))),
    { numRuns: 30 },
  );
});

test("the initiator ends with garbage in place of an answer, and with a choice that it did not offer", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 700, maxLength: 1500 }), (bytes) => {
      const a = initiator();
      a.begin();
      refuses(t, () => {
        a.feed(Buffer.from(bytes));
        a.feed(Buffer.alloc(700, 1));
      });
    }),
    { numRuns: 30 },
  );
  for (const chosen of [0, 3, 4, CRYPTO.plaintext])
    refuses(t, () =>
      shake(
        initiator(CRYPTO.rc4),
        responder(() => chosen || 8),
        [4000],
      ),
    );
});

test("IncomingOpening passes plain handshakes on, unless encryption is required, and stops where there may be no more", (t) => {
  const plain = new IncomingOpening({ acceptsPlain: true, beginEncrypted: () => t.fail() as undefined });
  t.is(plain.feed(HELLO.subarray(0, 19)).kind, "more");
  const step = plain.feed(HELLO.subarray(19));
  t.true(step.kind === "done" && step.bytes.equals(HELLO) && step.ciphers === undefined);
  refuses(t, () => new IncomingOpening({ acceptsPlain: false, beginEncrypted: () => undefined }).feed(HELLO));
  refuses(t, () => new IncomingOpening({ acceptsPlain: true, beginEncrypted: () => undefined }).feed(Buffer.alloc(96, 7)));
});

test("MseDesk bounds the handshakes of one address and of all together", (t) => {
  let nowMs = 0;
  const desk = new MseDesk("allow", nowMs);
  desk.add(INFO_HASH);
  const tries = (host: string, count: number): number => {
    let begun = 0;
    for (let at = 0; at < count; at++) {
      try {
        if (desk.incoming(host, () => nowMs)?.feed(publicKeyOf(randomBytes(PRIVATE_KEY_BYTES)))?.reply !== undefined) begun++;
      } catch {
        // refused
      }
    }
    return begun;
  };
  t.is(tries("a", 100), 60, "burst of one address");
  nowMs += 1000;
  t.is(tries("a", 100), 10, "a second later");
  nowMs += 10_000;
  t.is(
    [...Array(20).keys()].reduce((sum, at) => sum + tries(`host ${at}`, 60), 0),
    300,
    "burst of all",
  );
});

test("policies: what is dialled, offered and chosen", (t) => {
  t.deepEqual(dialOrder("allow", undefined), ["plain", "encrypted"]);
  t.deepEqual(dialOrder("allow", "encrypted"), ["encrypted", "plain"]);
  t.deepEqual(dialOrder("off", "encrypted"), ["plain"]);
  t.deepEqual(dialOrder("require", "plain"), ["encrypted"]);
  const chosen = (policy: EncryptionPolicy) => [BOTH, CRYPTO.rc4, CRYPTO.plaintext, 0, 8].map((offered) => selectCrypto(policy, offered));
  t.deepEqual(chosen("allow"), [CRYPTO.plaintext, CRYPTO.rc4, CRYPTO.plaintext, 0, 0]);
  t.deepEqual(chosen("prefer"), [CRYPTO.rc4, CRYPTO.rc4, CRYPTO.plaintext, 0, 0]);
  t.deepEqual(chosen("require"), [CRYPTO.rc4, CRYPTO.rc4, 0, 0, 0]);
  t.is(offeredCrypto("require"), CRYPTO.rc4);
});
