/** What comes after a layer, and when it is opened. */
import test from "ava";
import { KnownImages } from "../../../mirror/known-images.ts";
import { lookAhead } from "../../../mirror/look-ahead.ts";
import { OpenReads } from "../../../mirror/open-reads.ts";
import type { Descriptor } from "../../../registry/manifest.ts";

const MIB = 1024 * 1024;
const NAME = { base: "https://r.example", repository: "team/app" };
const blob = (digest: string, lengthBytes = MIB): Descriptor => ({ digest, lengthBytes, mediaType: "" });
const image = (config: string, ...layers: string[]) => ({
  kind: "image" as const,
  blobs: [config, ...layers].map((digest) => blob(digest)),
  config,
});
const after = (images: KnownImages, digest: string): string[] => images.after(NAME, digest).map((one) => one.digest);

test("KnownImages.after() names the layers above, then the configuration; nothing above a configuration or an unknown blob", (t) => {
  const images = new KnownImages();
  images.note(NAME, "m1", image("c", "a", "b", "d"));
  t.deepEqual(after(images, "a"), ["b", "d", "c"]);
  t.deepEqual(after(images, "d"), ["c"]);
  t.deepEqual(after(images, "c"), []);
  t.deepEqual(after(images, "x"), []);
  // the image that was given out last is the one that is being pulled
  images.note(NAME, "m2", image("c2", "a", "e"));
  t.deepEqual(after(images, "a"), ["e", "c2"]);
  t.deepEqual(after(images, "b"), ["d", "c"]);
});

test("KnownImages.names() keeps repositories and registries apart", (t) => {
  const images = new KnownImages();
  images.note(NAME, "m1", image("c", "a"));
  t.true(images.names(NAME, "a"));
  t.true(images.names(NAME, "c"));
  t.false(images.names({ ...NAME, repository: "team/other" }, "a"));
  t.false(images.names({ ...NAME, base: "https://s.example" }, "a"));
});

test("KnownImages forgets the image that was given out longest ago, and not what a newer one shares with it", (t) => {
  const images = new KnownImages();
  images.note(NAME, "old", image("c", "base", "old-top"));
  images.note(NAME, "new", image("c2", "base", "new-top"));
  // 1,000 blobs each: 100 of them and the two above are more than 100,000
  for (let index = 0; index < 100; index++)
    images.note(
      { ...NAME, repository: `r${index}` },
      "m",
      image(`c${index}`, ...Array.from({ length: 999 }, (_, layer) => `${index}-${layer}`)),
    );
  t.false(images.names(NAME, "old-top"));
  t.true(images.names({ ...NAME, repository: "r99" }, "99-0"));
  t.is(images.names(NAME, "base"), images.names(NAME, "new-top"));
});

test("lookAhead() opens what keeps 32 MiB ahead, each once, at most eight", (t) => {
  const opened: string[] = [];
  const at = lookAhead([blob("a", 20 * MIB), blob("b", 5 * MIB), blob("c", 100 * MIB), blob("d")], (digest) => opened.push(digest));
  at(40 * MIB);
  t.deepEqual(opened, []);
  // 31 + 20 are enough
  at(31 * MIB);
  t.deepEqual(opened, ["a"]);
  // 8 + 20 are not, 8 + 20 + 5 are
  at(8 * MIB);
  t.deepEqual(opened, ["a", "b"]);
  at(0);
  at(0);
  t.deepEqual(opened, ["a", "b", "c"]);
  const small: string[] = [];
  lookAhead(
    Array.from({ length: 30 }, (_, index) => blob(String(index), 10)),
    (digest) => small.push(digest),
  )(0);
  t.is(small.length, 8);
});

test("OpenReads.missingBytes() is of all that one reader reads, as long as he does", (t) => {
  const missing: Record<string, number> = { a: 5, b: 7 };
  const reads = new OpenReads((content: string) => missing[content]);
  t.is(reads.missingBytes("one"), 0);
  const [first, second] = [reads.begin("one", "a"), reads.begin("one", "b")];
  const [other, again] = [reads.begin("other", "b"), reads.begin("one", "b")];
  t.deepEqual([reads.missingBytes("one"), reads.missingBytes("other")], [19, 7]);
  missing.b = 1;
  t.is(reads.missingBytes("one"), 7);
  for (const read of [first, second, second]) read[Symbol.dispose]();
  t.is(reads.missingBytes("one"), 1);
  for (const read of [again, other]) read[Symbol.dispose]();
  t.deepEqual([reads.missingBytes("one"), reads.missingBytes("other")], [0, 0]);
});
