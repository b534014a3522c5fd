/**
 * What clients do that is allowed, or common, and easily forgotten: as scripts against an engine that leeches, or seeds.
 * FAST and EXTENDED are the reserved bits of BEP 6 and BEP 10.
 */
import { once } from "node:events";
import test, { type ExecutionContext } from "ava";
import { OUR_EXTENSION } from "../../../peer/engine/wire/extended-handshake.ts";
import {
  type BlockRange,
  encodeBitfield,
  encodeBlockHeader,
  encodeExtended,
  encodeFlag,
  encodeIndex,
  encodeRanges,
  KEEP_ALIVE,
  MESSAGE,
} from "../../../peer/engine/wire/messages.ts";
import { decodeDict, dictInt, encode } from "../../../torrents/bencode.ts";
import { completed, contentOf, feed, startEngine } from "../../support/engines.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { greetedPeer } from "../../support/hostile-peer.ts";
import { until } from "../../support/processes.ts";
import { type Heard, type Script, startScriptedPeer } from "../../support/scripted-peer.ts";
import { addStandard, standardTorrent } from "../../support/standard-torrent.ts";

const PIECE = 64 * 1024;
const FILE = standardTorrent({ seed: 61, lengthBytes: 10 * PIECE + 777, pieceLengthBytes: PIECE });
const PIECES = FILE.geometry.pieceCount;
const FAST = { 7: 0x04 };
const EXTENDED = { 5: 0x10 };
const UNCHOKE = encodeFlag(MESSAGE.unchoke);
const ALL = encodeBitfield(Buffer.from([0xff, 0xe0]));

function blockAt({ index, begin, length }: BlockRange): Buffer {
  const start = index * PIECE + begin;
  return Buffer.concat([encodeBlockHeader({ index, begin, length }), FILE.content.subarray(start, start + length)]);
}

function rangeOf(payload: Buffer): BlockRange {
  return { index: payload.readUInt32BE(0), begin: payload.readUInt32BE(4), length: payload.readUInt32BE(8) };
}

const serve = ({ id, payload }: Heard): Buffer | undefined => (id === MESSAGE.request ? blockAt(rangeOf(payload)) : undefined);

/** We download everything from that peer alone. */
async function leechFrom(t: ExecutionContext, script: Script): Promise<readonly { id: number; payload: Buffer }[]> {
  await using folder = await temporaryFolder();
  await using peer = await startScriptedPeer(script);
  await using engine = await startEngine("peer");
  const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
  torrent.addPeers([peer.address]);
  torrent.download(true);
  await completed(torrent);
  t.true((await contentOf(torrent)).equals(FILE.content));
  return peer.heard;
}

test("a client of BEP 3 alone: bitfield, no fast extension, no extension protocol", async (t) => {
  const heard = await leechFrom(t, { greeting: Buffer.concat([ALL, UNCHOKE]), answer: serve });
  t.deepEqual(
    heard.filter(({ id }) => [MESSAGE.haveNone, MESSAGE.haveAll, MESSAGE.reject, MESSAGE.extended].includes(id as never)),
    [],
    "it hears nothing that it does not know",
  );
  t.true(heard.filter(({ id }) => id === MESSAGE.request).every(({ payload }) => rangeOf(payload).length <= 16384));
});

test("HAVE for each piece in place of a bitfield, keep-alives between, a port, a suggestion, an unknown message and an empty extension id", async (t) => {
  const haves = Array.from({ length: PIECES }, (_, index) => Buffer.concat([encodeIndex(MESSAGE.have, index), KEEP_ALIVE]));
  const odd = Buffer.concat([
    Buffer.from([0, 0, 0, 3, MESSAGE.port, 0x1a, 0xe1]),
    encodeIndex(MESSAGE.suggest, 1),
    encodeIndex(MESSAGE.allowedFast, 2),
    Buffer.from([0, 0, 0, 5, 200, 1, 2, 3, 4]),
    encodeExtended(99, Buffer.from("who knows")),
  ]);
  await leechFrom(t, { reserved: { ...FAST, ...EXTENDED }, greeting: Buffer.concat([...haves, odd, UNCHOKE]), answer: serve });
});

test("have none, then HAVEs; have all twice; a bitfield after HAVEs, and the same once more", async (t) => {
  const late = Array.from({ length: PIECES }, (_, index) => encodeIndex(MESSAGE.have, index));
  for (const words of [
    [encodeFlag(MESSAGE.haveNone), ...late],
    [encodeFlag(MESSAGE.haveAll), encodeFlag(MESSAGE.haveAll)],
    [late[0], ALL, ALL],
  ])
    await leechFrom(t, { reserved: FAST, greeting: Buffer.concat([...words, UNCHOKE]), answer: serve });
});

test("answers in the reverse order, several blocks at a time", async (t) => {
  const waiting: BlockRange[] = [];
  await leechFrom(t, {
    greeting: Buffer.concat([ALL, UNCHOKE]),
    answer: ({ id, payload }) => {
      if (id !== MESSAGE.request) return undefined;
      waiting.unshift(rangeOf(payload));
      const isLast = waiting[0].begin + waiting[0].length >= (waiting[0].index === PIECES - 1 ? 777 : PIECE);
      return isLast ? Buffer.concat(waiting.splice(0).map(blockAt)) : undefined;
    },
  });
});

test("each block twice, and a block that was never asked for before it", async (t) => {
  await leechFrom(t, {
    greeting: Buffer.concat([ALL, UNCHOKE]),
    answer: ({ id, payload }) => {
      if (id !== MESSAGE.request) return undefined;
      const block = blockAt(rangeOf(payload));
      return Buffer.concat([blockAt({ index: 0, begin: 0, length: 100 }), block, block]);
    },
  });
});

test("it chokes in the middle and unchokes again: with the fast extension it refuses what was asked, without it forgets it", async (t) => {
  for (const reserved of [FAST, undefined]) {
    let requests = 0;
    await leechFrom(t, {
      reserved,
      greeting: Buffer.concat([ALL, UNCHOKE]),
      answer: ({ id, payload }) => {
        if (id !== MESSAGE.request) return undefined;
        const range = rangeOf(payload);
        if (++requests !== 5) return blockAt(range);
        const words = [encodeFlag(MESSAGE.choke), ...(reserved === undefined ? [] : [encodeRanges(MESSAGE.reject, [range])])];
        return Buffer.concat([...words, UNCHOKE]);
      },
    });
  }
});

test("it gives a piece away (lt_donthave) and gets it back: asked for only once it has it again", async (t) => {
  const hello = encodeExtended(0, encode({ m: { lt_donthave: 7 } }));
  const lost = encodeExtended(OUR_EXTENSION.dontHave, Buffer.from([0, 0, 0, 3]));
  let hasIt = false;
  let askedTooSoon = 0;
  await leechFrom(t, {
    reserved: { ...FAST, ...EXTENDED },
    greeting: Buffer.concat([ALL, hello, lost, UNCHOKE]),
    answer: ({ id, payload }) => {
      if (id !== MESSAGE.request) return undefined;
      const range = rangeOf(payload);
      if (range.index === 3 && !hasIt) askedTooSoon++;
      if (range.index === 3 || hasIt) return blockAt(range);
      hasIt = true;
      return Buffer.concat([blockAt(range), encodeIndex(MESSAGE.have, 3)]);
    },
  });
  t.is(askedTooSoon, 0);
});

test("a peer that tells a queue of 1 gets one request at a time", async (t) => {
  let open = 0;
  let most = 0;
  await leechFrom(t, {
    reserved: EXTENDED,
    greeting: Buffer.concat([encodeExtended(0, encode({ m: {}, reqq: 1 })), ALL, UNCHOKE]),
    answer: async ({ id, payload }) => {
      if (id !== MESSAGE.request) return undefined;
      most = Math.max(most, ++open);
      // whatever else came along with this request is seen before it is answered
      await new Promise((resolve) => setImmediate(resolve));
      open--;
      return blockAt(rangeOf(payload));
    },
  });
  t.is(most, 1);
});

test("we tell a peer that knows BEP 21 when we need nothing any more", async (t) => {
  const hello = encodeExtended(0, encode({ m: { upload_only: 9 } }));
  await using folder = await temporaryFolder();
  await using peer = await startScriptedPeer({
    reserved: { ...FAST, ...EXTENDED },
    greeting: Buffer.concat([hello, ALL, UNCHOKE]),
    answer: serve,
  });
  await using engine = await startEngine("peer");
  const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
  torrent.addPeers([peer.address]);
  torrent.download(true);
  await completed(torrent);
  await until(() => peer.heard.some(({ id, payload }) => id === MESSAGE.extended && payload.equals(Buffer.from([9, 1]))));
  const [first] = peer.heard.filter(({ id, payload }) => id === MESSAGE.extended && payload[0] === 0);
  t.is(dictInt(decodeDict(first.payload.subarray(1)), "upload_only"), undefined, "not while it downloaded");
});

for (const length of [1, 1000, 16384, 32768, 65536]) {
  test(`we serve requests of ${length} bytes`, async (t) => {
    await using folder = await temporaryFolder();
    await using engine = await startEngine("peer");
    const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
    await feed(torrent, FILE.content);
    using peer = await greetedPeer({ port: engine.address.port, infoHash: torrent.infoHash }, false);
    const range = { index: 2, begin: 0, length };
    await peer.write(Buffer.concat([encodeFlag(MESSAGE.interested), encodeFlag(MESSAGE.haveNone)]));
    const stream = new Incoming(peer.socket);
    await stream.until(({ id }) => id === MESSAGE.unchoke);
    await peer.write(encodeRanges(MESSAGE.request, [range]));
    const { payload } = await stream.until(({ id }) => id === MESSAGE.piece);
    t.true(payload.equals(blockAt(range).subarray(5)));
  });
}

test("what we cannot serve is rejected (BEP 6): out of range, too long, while choked", async (t) => {
  await using folder = await temporaryFolder();
  await using engine = await startEngine("peer");
  const torrent = await addStandard(engine, FILE, { folder: folder.path, version: 1 });
  await feed(torrent, FILE.content);
  using peer = await greetedPeer({ port: engine.address.port, infoHash: torrent.infoHash }, false);
  const stream = new Incoming(peer.socket);
  const bad: BlockRange[] = [
    { index: PIECES, begin: 0, length: 100 },
    { index: 2 ** 32 - 1, begin: 0, length: 100 },
    { index: 0, begin: PIECE, length: 1 },
    { index: 0, begin: 2 ** 32 - 1, length: 2 },
    { index: 0, begin: 0, length: 0 },
    { index: 0, begin: 0, length: 2 ** 31 },
    { index: PIECES - 1, begin: 0, length: 778 },
  ];
  await peer.write(encodeRanges(MESSAGE.request, [{ index: 0, begin: 0, length: 100 }]));
  t.like(rangeOf((await stream.until(({ id }) => id === MESSAGE.reject)).payload), { index: 0, begin: 0, length: 100 });
  await peer.write(encodeFlag(MESSAGE.interested));
  await stream.until(({ id }) => id === MESSAGE.unchoke);
  for (const range of bad) {
    await peer.write(encodeRanges(MESSAGE.request, [range]));
    t.deepEqual(
      rangeOf((await stream.until(({ id }) => id === MESSAGE.reject || id === MESSAGE.piece)).payload),
      range,
      JSON.stringify(range),
    );
  }
});

/** Messages of a raw peer's socket, one after the other. */
class Incoming {
  readonly #socket: Awaited<ReturnType<typeof greetedPeer>>["socket"];
  #seen = Buffer.alloc(0);
  #greeted = false;

  constructor(socket: Awaited<ReturnType<typeof greetedPeer>>["socket"]) {
    this.#socket = socket;
  }

  async until(wanted: (message: { id: number; payload: Buffer }) => boolean): Promise<{ id: number; payload: Buffer }> {
    const signal = AbortSignal.timeout(20_000);
    for (;;) {
      for (let message = this.#next(); message !== undefined; message = this.#next()) if (wanted(message)) return message;
      const chunk = this.#socket.read() as Buffer | null;
      if (chunk === null) await once(this.#socket, "readable", { signal });
      else this.#seen = Buffer.concat([this.#seen, chunk]);
    }
  }

  #next(): { id: number; payload: Buffer } | undefined {
    if (!this.#greeted && this.#seen.length >= 68) {
      this.#greeted = true;
      this.#seen = this.#seen.subarray(68);
    }
    if (!this.#greeted || this.#seen.length < 4 || this.#seen.length < 4 + this.#seen.readUInt32BE(0)) return undefined;
    const end = 4 + this.#seen.readUInt32BE(0);
    const message = { id: end === 4 ? -1 : this.#seen[4], payload: Buffer.from(this.#seen.subarray(5, end)) };
    this.#seen = this.#seen.subarray(end);
    return message;
  }
}
