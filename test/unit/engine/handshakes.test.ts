import test from "ava";
import fc from "fast-check";
import { encodeExtendedHandshake, MAX_METADATA_BYTES, parseExtendedHandshake } from "../../../peer/engine/wire/extended-handshake.ts";
import { encodeHandshake, HANDSHAKE_BYTES, parseHandshake } from "../../../peer/engine/wire/handshake.ts";
import { encode } from "../../../torrents/bencode.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { refuses } from "../torrents/refuses.ts";

const INFO_HASH = "0123456789abcdef0123456789abcdef01234567" as InfoHash;
const PEER_ID = Buffer.from("-SK0100-0123456789ab").toString("hex") as PeerId;

test("encodeHandshake() writes BEP 3 with the bits of BEP 6 and BEP 10", (t) => {
  const bytes = encodeHandshake({ infoHash: INFO_HASH, peerId: PEER_ID });
  t.is(bytes.length, HANDSHAKE_BYTES);
  t.is(bytes.toString("latin1", 0, 20), "\x13BitTorrent protocol");
  t.is(bytes.toString("hex", 20, 28), "0000000000100004");
  t.deepEqual(parseHandshake(bytes), { infoHash: INFO_HASH, peerId: PEER_ID, fast: true, extended: true });
});

test("parseHandshake() reads peers that offer neither extension, and ignores what follows", (t) => {
  const bytes = Buffer.concat([encodeHandshake({ infoHash: INFO_HASH, peerId: PEER_ID }), Buffer.from("more")]);
  bytes.fill(0, 20, 28);
  t.like(parseHandshake(bytes), { infoHash: INFO_HASH, peerId: PEER_ID, fast: false, extended: false });
});

test("parseHandshake() refuses anything else", (t) => {
  const good = encodeHandshake({ infoHash: INFO_HASH, peerId: PEER_ID });
  t.is(parseHandshake(good.subarray(0, HANDSHAKE_BYTES - 1)), undefined);
  t.is(parseHandshake(Buffer.from("GET / HTTP/1.1\r\n".padEnd(80))), undefined);
  fc.assert(
    fc.property(fc.nat(19), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bad = Buffer.from(good);
      bad[at] ^= flip;
      t.is(parseHandshake(bad), undefined);
    }),
  );
});

const US = { metadataBytes: 1000, port: 6881, live: true, blockBytes: 131072, requestQueue: 500, version: "Skimmer 1" };

test("parseExtendedHandshake() reads what encodeExtendedHandshake() wrote", (t) => {
  t.deepEqual(parseExtendedHandshake(encodeExtendedHandshake(US)), {
    metadata: 1,
    pex: 2,
    live: 3,
    uploadOnly: 4,
    needsNothing: false,
    metadataBytes: 1000,
    port: 6881,
    requestQueue: 500,
    blockBytes: 131072,
  });
  t.true(parseExtendedHandshake(encodeExtendedHandshake({ ...US, needsNothing: true })).needsNothing);
  t.like(parseExtendedHandshake(encodeExtendedHandshake({ ...US, live: false, metadataBytes: 0 })), { live: 0, metadataBytes: 0 });
});

const STANDARD = {
  metadata: 0,
  pex: 0,
  live: 0,
  uploadOnly: 0,
  needsNothing: false,
  metadataBytes: 0,
  port: 0,
  requestQueue: 250,
  blockBytes: 16384,
};

test("parseExtendedHandshake() takes absent, odd and excessive values for absent", (t) => {
  t.deepEqual(parseExtendedHandshake(encode({})), STANDARD);
  const odd = { m: 7, p: "port", reqq: -1, sk: [], metadata_size: {} };
  t.deepEqual(parseExtendedHandshake(encode(odd)), STANDARD);
  const excessive = {
    m: { ut_pex: 256, ut_metadata: -1 },
    p: 65536,
    reqq: 1e9,
    sk: { block: 1 << 30 },
    metadata_size: MAX_METADATA_BYTES + 1,
  };
  t.deepEqual(parseExtendedHandshake(encode(excessive)), STANDARD);
  t.is(parseExtendedHandshake(encode({ sk: { block: 1 } })).blockBytes, 16384);
});

test("parseExtendedHandshake() refuses what is no dictionary, with a protocol error", (t) => {
  for (const text of ["", "le", "i1e", "3:abc", "d1:m", "d1:mdee1"]) refuses(t, () => parseExtendedHandshake(Buffer.from(text)));
});
