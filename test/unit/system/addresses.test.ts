import test from "ava";
import { formatHostPort, parseHostPort, plainAddress, reachableHost } from "../../../system/addresses.ts";

test("parseHostPort() reads names, IPv4, bracketed IPv6, all addresses and port 0", (t) => {
  t.deepEqual(parseHostPort("127.0.0.1:8002"), { host: "127.0.0.1", port: 8002 });
  t.deepEqual(parseHostPort("seed-1.example.org:65535"), { host: "seed-1.example.org", port: 65535 });
  t.deepEqual(parseHostPort("[::1]:0"), { host: "::1", port: 0 });
  t.deepEqual(parseHostPort(" :8002 "), { host: "0.0.0.0", port: 8002 });
});

for (const text of [
  "",
  "8002",
  "host",
  "host:",
  "host:port",
  "host:65536",
  "::1:8002",
  "[::1]",
  "[host]:1",
  "a b:1",
  "http://host:1",
  "host:-1",
]) {
  test(`parseHostPort() refuses "${text}"`, (t) => {
    t.like(
      t.throws(() => parseHostPort(text)),
      { name: "SkimmerError", code: "bad_request" },
    );
  });
}

test("formatHostPort() is what parseHostPort() reads", (t) => {
  for (const text of ["127.0.0.1:1", "[::1]:2", "host:3"]) t.is(formatHostPort(parseHostPort(text)), text);
});

test("reachableHost() turns all addresses into the loopback, plainAddress() mapped IPv4 into IPv4", (t) => {
  t.is(reachableHost("0.0.0.0"), "127.0.0.1");
  t.is(reachableHost("::"), "::1");
  t.is(reachableHost("10.0.0.7"), "10.0.0.7");
  t.is(plainAddress("::ffff:10.0.0.7"), "10.0.0.7");
  t.is(plainAddress("fe80::1"), "fe80::1");
});
