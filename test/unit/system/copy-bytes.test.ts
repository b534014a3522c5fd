import test from "ava";
import fc from "fast-check";
import { copyBytes } from "../../../system/copy-bytes.ts";

test("copyBytes() copies every byte, aligned or not, into shared memory or not, and no other", (t) => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(bytes, fc.nat(16), fc.nat(16), fc.boolean(), (content, skip, at, isShared) => {
      const source = Buffer.concat([Buffer.alloc(skip), content]).subarray(skip);
      const memory = isShared ? new SharedArrayBuffer(400) : new ArrayBuffer(400);
      const target = Buffer.from(memory).fill(0xaa);
      copyBytes(source, target, at);
      const expected = Buffer.alloc(400, 0xaa);
      source.copy(expected, at);
      t.true(target.equals(expected));
    }),
  );
});
