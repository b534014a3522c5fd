/** Bencoding: what we write others can read, and no bytes of a stranger do more than throw a protocol error. */
import test from "ava";
import theirs from "bencode";
import fc from "fast-check";
import {
  type BencodeDict,
  type BencodeValue,
  decode,
  decodeDict,
  decodePrefix,
  dictBytes,
  dictDict,
  dictInt,
  dictList,
  dictString,
  encode,
} from "../../../torrents/bencode.ts";
import { refuses } from "./refuses.ts";

const anyBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const anyKey = anyBytes.map((bytes) => bytes.toString("latin1"));
const { value: anyValue } = fc.letrec<{ value: BencodeValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.maxSafeInteger().map((number) => number + 0),
    anyBytes,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.uniqueArray(fc.tuple(anyKey, tie("value")), { maxLength: 5, selector: ([key]) => key }).map((entries) => new Map(entries)),
  ),
}));

test("decode() gives back what encode() took", (t) => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const bytes = encode(value);
      t.deepEqual(sorted(decode(bytes)), sorted(value));
      t.true(encode(decode(bytes)).equals(bytes));
    }),
    { numRuns: 300 },
  );
});

test("decode() of any bytes gives a value or a protocol error, nothing else", (t) => {
  const likely = fc
    .array(fc.constantFrom("d", "l", "i", "e", "0", "1", "9", ":", "-", "a"), { maxLength: 30 })
    .map((marks) => marks.join(""));
  fc.assert(
    fc.property(fc.oneof(fc.string(), likely), (text) => {
      const bytes = Buffer.from(text);
      try {
        t.true(decodePrefix(bytes).lengthBytes <= bytes.length);
      } catch (error) {
        t.is((error as { code?: string }).code, "protocol", String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test("encode() writes what the bencode package writes, and decode() reads it", (t) => {
  const value = { announce: "http://x/ä", info: { length: 5, name: "é", pieces: Buffer.alloc(20, 0xfe) }, list: [1, [], {}, "a"], zero: 0 };
  t.true(encode(value).equals(theirs.encode(value)));
  t.is(dictString(decodeDict(theirs.encode(value)), "announce"), "http://x/ä");
});

test("encode() sorts keys by raw bytes and leaves absent values out", (t) => {
  t.is(encode({ b: 1, a: undefined, B: 2, aa: 3 }).toString(), "d1:Bi2e2:aai3e1:bi1ee");
  const keys = new Map([
    ["\xff", 1],
    ["\x7f", 2],
    ["", 3],
  ]);
  t.is(encode(keys).toString("latin1"), "d0:i3e1:\x7fi2e1:\xffi1ee");
});

test("encode() refuses numbers that bencode cannot hold", (t) => {
  for (const number of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) t.throws(() => encode(number), { instanceOf: RangeError });
});

for (const [text, why] of [
  ["", "empty"],
  ["i-0e", "negative zero"],
  ["i03e", "leading zero"],
  ["ie", "no digits"],
  ["i1", "cut integer"],
  ["i9007199254740992e", "2^53: not exact any more"],
  ["i-9007199254740992e", "-2^53"],
  [`i${"9".repeat(400)}e`, "endless integer"],
  ["i 1e", "space"],
  ["i1.5e", "fraction"],
  ["01:a", "leading zero in a length"],
  ["-1:a", "negative length"],
  ["5:abc", "length beyond the data"],
  ["99999999999999999:a", "huge length"],
  ["1a", "no colon"],
  ["l", "open list"],
  ["d", "open dictionary"],
  ["d1:a", "key without value"],
  ["di1e1:ae", "key that is no string"],
  ["d1:ai1e1:ai2ee", "key twice"],
  ["i1ei2e", "second value"],
  ["l".repeat(100_000), "nesting bomb"],
  ["d1:a".repeat(100_000), "nesting bomb of dictionaries"],
  [`l${"i1e".repeat(300_000)}e`, "too many values"],
] as const) {
  test(`decode() refuses ${why}`, (t) => refuses(t, () => decode(Buffer.from(text))));
}

test("decode() keeps to the limits that it is given", (t) => {
  t.notThrows(() => decode(Buffer.from("lli1eee"), { maxDepth: 2, maxItems: 3 }));
  refuses(t, () => decode(Buffer.from("lli1eee"), { maxDepth: 1 }));
  refuses(t, () => decode(Buffer.from("lli1eee"), { maxItems: 2 }));
});

test("decode() takes unsorted keys, as many clients write them", (t) => {
  t.deepEqual(
    [...decodeDict(Buffer.from("d1:bi1e1:ai2ee"))],
    [
      ["b", 1],
      ["a", 2],
    ],
  );
});

test("decodePrefix() tells where the data behind a dictionary begins", (t) => {
  const head = encode({ msg_type: 1, piece: 0 });
  t.is(decodePrefix(Buffer.concat([head, Buffer.from("d8:data")])).lengthBytes, head.length);
});

test("accessors give undefined for what is absent or of another type", (t) => {
  const dict = decodeDict(encode({ int: 7, text: "ä", list: [1], dict: {} }));
  t.is(dictInt(dict, "int"), 7);
  t.is(dictString(dict, "text"), "ä");
  t.deepEqual(dictBytes(dict, "text"), Buffer.from("ä"));
  t.deepEqual(dictList(dict, "list"), [1]);
  t.deepEqual(dictDict(dict, "dict"), new Map());
  for (const read of [dictInt, dictString, dictBytes, dictList, dictDict]) t.is<unknown, undefined>(read(dict, "absent"), undefined);
  t.is(dictInt(dict, "text"), undefined);
  t.is(dictString(dict, "int"), undefined);
  t.is(dictDict(dict, "list"), undefined);
  t.is(dictList(dict, "dict"), undefined);
});

test("accessors of what a caller only took for a dictionary throw a protocol error", (t) => {
  for (const text of ["i1e", "le", "1:a"]) refuses(t, () => dictInt(decode(Buffer.from(text)) as BencodeDict, "a"));
});

/** Map order does not count. */
function sorted(value: BencodeValue): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!(value instanceof Map)) return value;
  return [...value].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sorted(item)]);
}
