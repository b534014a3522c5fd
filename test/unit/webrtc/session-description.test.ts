import test from "ava";
import { trimDescription } from "../../../peer/webrtc/session-description.ts";

const HEAD = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "a=ice-ufrag:abcd"];
const candidate = (address: string): string => `a=candidate:1 1 UDP 2114977791 ${address} 43777 typ host`;
const sdp = (...lines: string[]): string => `${[...HEAD, ...lines].join("\r\n")}\r\n`;

test("trimDescription() keeps addresses, and drops names, which nobody shall have us look up", (t) => {
  const kept = [candidate("192.0.2.1"), candidate("2001:db8::1")];
  const named = [candidate("0a1b.local"), candidate("intranet.example"), candidate(""), "a=candidate:"];
  t.is(trimDescription(sdp(...kept, ...named, "a=end-of-candidates")), sdp(...kept, "a=end-of-candidates"));
});

test("trimDescription() takes lines that end with LF alone, and ends each with CRLF", (t) => {
  t.is(trimDescription(HEAD.join("\n")), sdp());
});

test("trimDescription() keeps 30 candidates, and 16 KiB", (t) => {
  const many = Array.from({ length: 40 }, (_, at) => candidate(`192.0.2.${at}`));
  t.is(trimDescription(sdp(...many)), sdp(...many.slice(0, 30)));
  t.is(trimDescription(sdp(`a=${"x".repeat(16 * 1024)}`)), undefined);
  t.is(trimDescription("hello"), undefined);
});
