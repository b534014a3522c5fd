import test from "ava";
import { readDescription } from "../../../peer/webrtc/session-description.ts";

const HEAD = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "a=ice-ufrag:abcd"];
const candidate = (address: string): string => `a=candidate:1 1 UDP 2114977791 ${address} 43777 typ host`;
const sdp = (...lines: string[]): string => `${[...HEAD, ...lines].join("\r\n")}\r\n`;

const bare = (...addresses: string[]): string[] => addresses.map((address) => candidate(address).slice(2));

test("readDescription() keeps addresses, and drops names, which nobody shall have us look up", (t) => {
  const kept = ["192.0.2.1", "2001:db8::1"];
  const named = ["0a1b.local", "intranet.example", ""].map(candidate);
  const read = readDescription(sdp(...kept.map(candidate), ...named, "a=candidate:", "a=end-of-candidates", "a=mid:data"));
  t.deepEqual(read, { sdp: sdp("a=mid:data"), candidates: bare(...kept), mid: "data" });
});

test("readDescription() takes lines that end with LF alone, and ends each with CRLF", (t) => {
  t.deepEqual(readDescription(HEAD.join("\n")), { sdp: sdp(), candidates: [], mid: "0" });
});

test("readDescription() keeps 30 candidates, and 16 KiB", (t) => {
  const many = Array.from({ length: 40 }, (_, at) => `192.0.2.${at}`);
  t.deepEqual(readDescription(sdp(...many.map(candidate)))?.candidates, bare(...many.slice(0, 30)));
  t.is(readDescription(sdp(`a=${"x".repeat(16 * 1024)}`)), undefined);
  t.is(readDescription("hello"), undefined);
});
