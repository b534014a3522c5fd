import { EventEmitter } from "node:events";
import test from "ava";
import type { Wire } from "webtorrent";
import { WireGate } from "../../../peer/webrtc/wire-gate.ts";

type Respond = (error: Error | null, bytes?: Uint8Array) => void;

/** A wire with webtorrent's listener, which is told what to answer and when. */
function makeWire() {
  const wire = Object.assign(new EventEmitter(), {
    type: "webrtc",
    destroyed: false,
    destroy: () => {
      wire.destroyed = true;
      wire.emit("close");
    },
  });
  const reading: { readonly index: number; readonly respond: Respond }[] = [];
  wire.on("request", (index: number, _offset: number, _length: number, respond: Respond) => reading.push({ index, respond }));
  return { wire: wire as Wire & typeof wire, reading };
}

test("WireGate has eight requests read at a time, and the others in order", (t) => {
  const { wire, reading } = makeWire();
  const answered: number[] = [];
  new WireGate(wire, () => false);
  for (let index = 0; index < 20; index++) wire.emit("request", index, 0, 16_384, () => answered.push(index));
  t.is(reading.length, 8);
  for (let at = 0; at < 20; at++) reading[at].respond(null, new Uint8Array(1));
  t.deepEqual(
    answered,
    Array.from({ length: 20 }, (_, index) => index),
  );
});

test("WireGate reads nothing for a wire that has enough to send, and goes on when it is pumped", (t) => {
  const { wire, reading } = makeWire();
  let full = true;
  const gate = new WireGate(wire, () => full);
  for (let index = 0; index < 3; index++) wire.emit("request", index, 0, 16_384, () => undefined);
  gate.pump();
  t.is(reading.length, 0);
  full = false;
  gate.pump();
  t.is(reading.length, 3);
});

test("WireGate disconnects who asks and asks and does not read", (t) => {
  const { wire, reading } = makeWire();
  new WireGate(wire, () => true);
  for (let index = 0; index < 4000; index++) wire.emit("request", index, 0, 16_384, () => undefined);
  t.false(wire.destroyed);
  wire.emit("request", 4000, 0, 16_384, () => undefined);
  t.true(wire.destroyed);
  t.is(reading.length, 0);
});
