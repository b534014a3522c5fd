import test from "ava";
import { readWebrtcSettings, WEBRTC_OPTIONS } from "../../../peer/daemon/webrtc-options.ts";

const stun = { host: "stun.example", port: 3478 };

test("readWebrtcSettings(): off, on, and with servers, which are of no use alone", (t) => {
  t.is(readWebrtcSettings({}), undefined);
  t.deepEqual(readWebrtcSettings({ webrtc: true }), { stun: [] });
  t.deepEqual(readWebrtcSettings({ webrtc: true, webrtcStun: [stun] }), { stun: [stun] });
  t.throws(() => readWebrtcSettings({ webrtcStun: [stun] }), { code: "bad_request", message: /without --webrtc/ });
  t.throws(() => readWebrtcSettings({ webrtc: true, webrtcStun: Array(6).fill(stun) }), { code: "bad_request" });
});

test("--webrtc-stun takes several servers, and several times", (t) => {
  const [, option] = WEBRTC_OPTIONS;
  const first = option.parse?.("stun.example:3478,[2001:db8::1]:1", undefined);
  t.deepEqual(option.parse?.("192.0.2.1:2", first), [stun, { host: "2001:db8::1", port: 1 }, { host: "192.0.2.1", port: 2 }]);
  t.throws(() => option.parse?.("stun.example", undefined), { code: "bad_request" });
});
