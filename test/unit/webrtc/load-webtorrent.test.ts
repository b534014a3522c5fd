import test from "ava";
import { tellEndOfGathering } from "../../../peer/webrtc/load-webtorrent.ts";

class Connection extends EventTarget {
  iceGatheringState = "gathering";
  readonly told: unknown[] = [];
  onicecandidate = (event: { candidate: null }): void => void this.told.push(event.candidate);
}

test("tellEndOfGathering() tells a null candidate when gathering is complete, and not before", async (t) => {
  const connection = new Connection();
  const make = tellEndOfGathering(async () => "description");
  t.is(await make.call(connection), "description");
  await new Promise(setImmediate);
  t.deepEqual(connection.told, []);
  connection.iceGatheringState = "complete";
  connection.dispatchEvent(new Event("icegatheringstatechange"));
  t.deepEqual(connection.told, [null]);
});

test("tellEndOfGathering() tells it too where gathering was complete already", async (t) => {
  const connection = new Connection();
  connection.iceGatheringState = "complete";
  await tellEndOfGathering(async () => undefined).call(connection);
  await new Promise(setImmediate);
  t.deepEqual(connection.told, [null]);
});
