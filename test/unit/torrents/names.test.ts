/** File names, peer ids, hex ids, rendezvous hashing. */
import test from "ava";
import fc from "fast-check";
import { infoHashOf, parseInfoHash, parsePeerId, parseTaskId } from "../../../torrents/ids.ts";
import { isOurs, isSeeder, makePeerId } from "../../../torrents/peer-id.ts";
import { rendezvousOrder } from "../../../torrents/rendezvous.ts";
import { safeName } from "../../../torrents/safe-name.ts";

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc
    .array(fc.constantFrom("a", " ", ".", "/", "\\", "\n", "\u009b", "é", "\ud83d", "\ude00", "😀", "\u202e", "\ufeff"), { maxLength: 400 })
    .map((parts) => parts.join("")),
);

test("safeName() is never a path, never empty, never too long, whatever it is given", (t) => {
  fc.assert(
    fc.property(anyText, (text) => {
      const name = safeName(text);
      t.true(name.length > 0 && name !== "." && name !== ".." && Buffer.byteLength(name) <= 255 && name.isWellFormed());
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must be gone
      t.notRegex(name, /[\u0000-\u001f\u007f-\u009f/\\\u202e]/);
      t.is(safeName(name), name, "a receiver refuses names that would change");
    }),
    { numRuns: 1000 },
  );
});

for (const [text, name] of [
  ["file.bin", "file.bin"],
  ["näme 😀.tar.gz", "näme 😀.tar.gz"],
  ["", "download"],
  ["  ", "download"],
  [".", "download"],
  [" .. ", "download"],
  ["../../etc/passwd", ".._.._etc_passwd"],
  ["C:\\x", "C:_x"],
  ["a\0b\u009bc\u202egpj", "a_b_c_gpj"],
  ["…".repeat(100), "…".repeat(85)],
  ["😀".repeat(64), "😀".repeat(63)],
  [`${"a".repeat(254)} b`, "a".repeat(254)],
] as const) {
  test(`safeName() of ${JSON.stringify(text.slice(0, 20))}, ${text.length} long`, (t) => t.is(safeName(text), name));
}

test("safeName() of ten million characters takes no time", (t) => {
  const startedMs = performance.now();
  t.is(safeName("a".repeat(10_000_000)), "a".repeat(255));
  t.true(performance.now() - startedMs < 1000);
});

test("peer ids tell peers, seeders and strangers apart", (t) => {
  const random = Buffer.alloc(20, 0x77);
  const peer = makePeerId("peer", random);
  const seeder = makePeerId("seeder", random);
  t.is(Buffer.from(peer, "hex").toString("latin1"), `-SK0100-${"w".repeat(12)}`);
  t.is(Buffer.from(seeder, "hex").toString("latin1"), `-SS0100-${"w".repeat(12)}`);
  const other = parsePeerId(Buffer.from("-TR3000-abcdefghijkl").toString("hex"));
  t.deepEqual(
    [peer, seeder, other].map((id) => [isOurs(id as never), isSeeder(id as never)]),
    [
      [true, false],
      [true, true],
      [false, false],
    ],
  );
});

test("ids are hex of the right length, in lower case", (t) => {
  t.is<string | undefined, string>(parseInfoHash("AB".repeat(20)), "ab".repeat(20));
  t.is<string, string>(infoHashOf(Buffer.alloc(20, 0xab)), "ab".repeat(20));
  t.is<string | undefined, string>(parseTaskId("ab".repeat(32)), "ab".repeat(32));
  for (const text of ["", "ab".repeat(19), "ab".repeat(21), "zz".repeat(20), `${"ab".repeat(20)}\n`]) t.is(parseInfoHash(text), undefined);
  t.is(parseTaskId("ab".repeat(20)), undefined);
});

test("rendezvousOrder() moves only the keys of a node that goes", (t) => {
  const ids = ["a", "b", "c", "d", "e"];
  fc.assert(
    fc.property(fc.string(), fc.constantFrom(...ids), (key, gone) => {
      const order = rendezvousOrder(key, ids);
      t.deepEqual([...order].sort(), ids);
      t.deepEqual(rendezvousOrder(key, [...ids].reverse()), order);
      t.deepEqual(
        rendezvousOrder(
          key,
          ids.filter((id) => id !== gone),
        ),
        order.filter((id) => id !== gone),
      );
    }),
    { numRuns: 50 },
  );
  t.deepEqual(rendezvousOrder("key", []), []);
});

test("rendezvousOrder() spreads keys over the nodes", (t) => {
  const ids = ["http://a", "http://b", "http://c", "http://d"];
  const counts = new Map<string, number>();
  for (let key = 0; key < 1000; key++) {
    const [first] = rendezvousOrder(`http://origin/${key}`, ids);
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  // 250 each on average; 190 is more than four standard deviations (13.7) below
  for (const id of ids) t.true((counts.get(id) ?? 0) > 190, `${id}: ${counts.get(id)}`);
});
