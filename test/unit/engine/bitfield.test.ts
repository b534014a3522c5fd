import test from "ava";
import fc from "fast-check";
import { Bitfield } from "../../../peer/engine/bitfield.ts";

const steps = fc.array(fc.record({ add: fc.boolean(), index: fc.nat(40) }), { maxLength: 100 });

test("Bitfield is a set of indices with its count, after any steps", (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 41 }), steps, (length, todo) => {
      const field = new Bitfield(length);
      const model = new Set<number>();
      for (const { add, index } of todo.filter((step) => step.index < length)) {
        t.is(add ? field.add(index) : field.delete(index), add ? !model.has(index) : model.has(index));
        if (add) model.add(index);
        else model.delete(index);
      }
      t.is(field.count, model.size);
      t.is(field.isFull, model.size === length);
      for (let index = 0; index < length; index++) t.is(field.has(index), model.has(index));
      t.is(Bitfield.fromWire(field.bytes, length)?.count, model.size);
    }),
  );
});

test("Bitfield.fromWire() reads the high bit first, and keeps its own bytes", (t) => {
  const bytes = Buffer.from([0b10100000, 0b00000001]);
  const field = Bitfield.fromWire(bytes, 16) as Bitfield;
  bytes.fill(0);
  t.deepEqual(
    Array.from({ length: 16 }, (_, index) => index).filter((index) => field.has(index)),
    [0, 2, 15],
  );
});

test("Bitfield.fromWire() refuses wrong lengths and spare bits", (t) => {
  t.is(Bitfield.fromWire(Buffer.alloc(1), 9), undefined);
  t.is(Bitfield.fromWire(Buffer.alloc(3), 9), undefined);
  t.is(Bitfield.fromWire(Buffer.from([0xff, 0b01000000]), 9), undefined);
  t.is(Bitfield.fromWire(Buffer.from([0xff, 0b10000000]), 9)?.isFull, true);
  t.is(Bitfield.fromWire(Buffer.alloc(0), 0)?.isFull, true);
});

test("Bitfield.addAll() fills without spare bits", (t) => {
  const field = new Bitfield(11);
  field.addAll();
  t.true(field.isFull);
  t.deepEqual([...field.bytes], [0xff, 0b11100000]);
});
