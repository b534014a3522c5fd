import test from "ava";
import fc from "fast-check";
import { encodeEntry, type JournalEntry, readEntries } from "../../../peer/engine/store/journal-format.ts";

const anyEntry: fc.Arbitrary<JournalEntry> = fc.record({
  type: fc.nat(255),
  payload: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
});
const anyEntries = fc.array(anyEntry, { maxLength: 8 });

test("readEntries() reads what encodeEntry() wrote", (t) => {
  fc.assert(
    fc.property(anyEntries, (entries) => {
      const bytes = Buffer.concat(entries.map(encodeEntry));
      t.deepEqual(readEntries(bytes), { entries, goodBytes: bytes.length });
    }),
  );
});

test("readEntries() of a journal cut anywhere gives the entries before the cut", (t) => {
  fc.assert(
    fc.property(anyEntries, fc.nat(1000), (entries, cut) => {
      const parts = entries.map(encodeEntry);
      const bytes = Buffer.concat(parts).subarray(0, cut);
      const whole: JournalEntry[] = [];
      let goodBytes = 0;
      for (const [at, part] of parts.entries()) {
        if (goodBytes + part.length > bytes.length) break;
        goodBytes += part.length;
        whole.push(entries[at]);
      }
      t.deepEqual(readEntries(bytes), { entries: whole, goodBytes });
    }),
    { numRuns: 500 },
  );
});

test("readEntries() stops before an entry with a flipped bit, or zeros of a file that was never written", (t) => {
  fc.assert(
    fc.property(anyEntries, anyEntry, fc.nat(500), fc.nat(7), (good, bad, at, bit) => {
      const head = Buffer.concat(good.map(encodeEntry));
      const damaged = encodeEntry(bad);
      damaged[at % damaged.length] ^= 1 << bit;
      t.like(readEntries(Buffer.concat([head, damaged])), { entries: good, goodBytes: head.length });
      t.is(readEntries(Buffer.concat([head, Buffer.alloc(4096)])).goodBytes, head.length);
    }),
    { numRuns: 500 },
  );
});

test("encodeEntry() holds the longest group: 64 records", (t) => {
  const payload = Buffer.alloc(2 + 64 * 36 + 64, 7);
  t.deepEqual(readEntries(encodeEntry({ type: 2, payload })).entries, [{ type: 2, payload }]);
});
