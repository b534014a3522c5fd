import test from "ava";
import { parseRanges, Reach } from "../../../system/reach.ts";
import { refuses } from "../torrents/refuses.ts";

const remote = { loopback: false };
const here = { loopback: true };
const plain = new Reach({ allow: [], deny: [] });

test("Reach.allows() public and private addresses, for anybody", (t) => {
  for (const address of [
    "192.0.2.7",
    "8.8.8.8",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "2001:db8::7",
    "fd12::1",
    "64:ff9b::8.8.8.8",
  ])
    t.true(plain.allows(address, remote), address);
});

test("Reach.allows() never link-local, metadata, or what is no host, in any spelling", (t) => {
  for (const address of [
    "169.254.169.254",
    "169.254.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "224.0.0.1",
    "255.255.255.255",
    "ff02::1",
    "not an address",
    "",
  ])
    t.false(plain.allows(address, here), address);
});

test("Reach.allows() the loopback for callers on this machine only", (t) => {
  for (const address of ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]) {
    t.true(plain.allows(address, here), address);
    t.false(plain.allows(address, remote), address);
  }
});

test("Reach: --origin-allow goes before --origin-deny, and that before what is open", (t) => {
  const only = new Reach({ allow: parseRanges("10.0.0.0/8,loopback", undefined), deny: parseRanges("all", undefined) });
  t.true(only.allows("10.1.2.3", remote));
  t.true(only.allows("::ffff:10.1.2.3", remote));
  t.true(only.allows("127.0.0.1", remote));
  t.false(only.allows("192.0.2.7", remote));
  t.false(only.allows("2001:db8::7", remote));
  const closed = new Reach({ allow: [], deny: parseRanges("private,2001:db8::/32,192.0.2.7", undefined) });
  for (const address of ["10.0.0.1", "192.168.0.1", "fd00::1", "2001:db8:1::1", "192.0.2.7", "::ffff:192.0.2.7"])
    t.false(closed.allows(address, here), address);
  t.true(closed.allows("192.0.2.8", remote));
  const metadata = new Reach({ allow: parseRanges("169.254.169.254", undefined), deny: [] });
  t.true(metadata.allows("169.254.169.254", remote));
  t.false(metadata.allows("169.254.169.253", remote));
});

test("parseRanges() adds to earlier mentions and refuses what is no range", (t) => {
  t.deepEqual(parseRanges("10.0.0.0/8, fd00::/8,192.0.2.7", ["::1/128"]), ["::1/128", "10.0.0.0/8", "fd00::/8", "192.0.2.7/32"]);
  for (const bad of ["", "10.0.0.0/33", "fd00::/129", "10.0.0/8", "example.com", "10.0.0.0/8/8", "10.0.0.0/-1"])
    refuses(t, () => parseRanges(bad, undefined), "bad_request");
});
