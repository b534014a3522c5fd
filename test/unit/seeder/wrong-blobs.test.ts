/** Blobs that a registry sent wrongly. */
import test from "ava";
import { WrongBlobs } from "../../../seeder/wrong-blobs.ts";
import { SkimmerError } from "../../../system/errors.ts";

test("WrongBlobs.check() refuses for 15 s what was wrong, and nothing else", (t) => {
  const wrong = new WrongBlobs();
  wrong.note("a", 1000);
  const error = t.throws(() => wrong.check("a", 15_999), { instanceOf: SkimmerError });
  t.is(error.code, "digest_mismatch");
  wrong.check("b", 1000);
  wrong.check("a", 16_000);
  wrong.note("a", 20_000);
  t.throws(() => wrong.check("a", 20_001));
});

test("WrongBlobs keeps a thousand; the oldest goes", (t) => {
  const wrong = new WrongBlobs();
  for (let index = 0; index <= 1000; index++) wrong.note(String(index), 0);
  wrong.check("0", 1);
  t.throws(() => wrong.check("1", 1));
});
