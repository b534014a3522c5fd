import test from "ava";
import fc from "fast-check";
import type { InfoHash, PeerId } from "../../../../torrents/ids.ts";
import { ConnectionIds } from "../../../../tracker/announce/connection-ids.ts";
import { sipHash16 } from "../../../../tracker/announce/sip-hash.ts";
import {
  kindOfDatagram,
  readUdpAnnounce,
  readUdpScrape,
  readUrlOption,
  writeUdpAnswer,
  writeUdpError,
  writeUdpScrape,
} from "../../../../tracker/announce/udp-packets.ts";
import { EVENT, emptyAsk, makeAsk } from "../../../../tracker/swarm/ask.ts";
import { SwarmStore } from "../../../../tracker/swarm/swarm-store.ts";

const HASH = "ab".repeat(20) as InfoHash;
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

/** An announce as BEP 15 lays it out: id, action, transaction, info hash, peer id, downloaded, left, uploaded, event, ip, key, numwant, port. */
function announcePacket(more: { left?: string; event?: string; numwant?: string; port?: string; options?: string } = {}): Buffer {
  const { left = "00000000000003e8", event = "00000002", numwant = "ffffffff", port = "1ae1", options = "" } = more;
  const counts = `0000000000000000 ${left} 0000000000000000`;
  return hex(
    `1122334455667788 00000001 cafebabe ${HASH} ${"2d".repeat(20)} ${counts} ${event} 08080808 00000000 ${numwant} ${port} ${options}`,
  );
}

test("kindOfDatagram() tells what BEP 15 knows from the rest", (t) => {
  t.is(kindOfDatagram(hex("0000041727101980 00000000 01020304")), "connect");
  t.is(kindOfDatagram(hex("0000041727101981 00000000 01020304")), "bad");
  t.is(kindOfDatagram(announcePacket()), "announce");
  t.is(kindOfDatagram(announcePacket().subarray(0, 97)), "bad");
  t.is(kindOfDatagram(hex(`1122334455667788 00000002 01020304 ${HASH}`)), "scrape");
  t.is(kindOfDatagram(hex("1122334455667788 00000002 01020304")), "bad");
  t.is(kindOfDatagram(hex("1122334455667788 00000003 01020304")), "bad");
});

test("readUdpAnnounce() reads every field, and takes no address from the packet", (t) => {
  const ask = emptyAsk();
  t.true(readUdpAnnounce(announcePacket(), ask));
  t.is(ask.infoHash, "\xab".repeat(20));
  t.is(ask.peerId.toString("latin1"), "-".repeat(20));
  t.is(ask.left, 1000);
  t.is(ask.event, EVENT.started);
  t.is(ask.port, 6881);
  t.is(ask.numwant, 80, "-1 is as many as we like");
  t.is(ask.address.join(), new Uint8Array(16).join());
  t.true(readUdpAnnounce(announcePacket({ left: "0000000100000000", numwant: "00000005" }), ask));
  t.is(ask.left, 2 ** 32);
  t.is(ask.numwant, 5);
  t.false(readUdpAnnounce(announcePacket({ event: "00000009" }), ask));
  t.false(readUdpAnnounce(announcePacket({ port: "0000" }), ask));
});

test("readUrlOption() joins the parts of BEP 41, and stops at what is cut off", (t) => {
  t.is(readUrlOption(announcePacket()), "");
  // 01: nothing · 02 04 "/ann" · 02 05 "ounce" · 00: end · what follows does not count
  t.is(readUrlOption(announcePacket({ options: "01 02 04 2f616e6e 02 05 6f756e6365 00 02 01 41" })), "/announce");
  t.is(readUrlOption(announcePacket({ options: "02 ff 2f61" })), "/a");
  t.is(readUrlOption(announcePacket({ options: "02" })), "");
});

test("writeUdpAnswer() is BEP 15's answer, byte for byte", (t) => {
  const store = new SwarmStore({ expireMs: () => 1000 });
  store.join({ finals: [HASH] });
  const announce = (ip: string, id: string, left: number) => {
    const ask = makeAsk({ infoHash: HASH, peerId: id.repeat(20) as PeerId, ip, port: 6881, left });
    if (ask === undefined) throw new Error("no address");
    ask.family = ask.v6 ? 6 : 4;
    const answer = store.announce(ask, 0, () => 0);
    if (answer === undefined) throw new Error("no swarm");
    return writeUdpAnswer(announcePacket(), answer, { intervalS: 60, family: ask.family });
  };
  t.is(announce("10.1.2.3", "01", 0).toString("hex"), hex("00000001 cafebabe 0000003c 00000000 00000001").toString("hex"));
  t.is(announce("10.1.2.4", "02", 1).toString("hex"), hex("00000001 cafebabe 0000003c 00000001 00000001 0a010203 1ae1").toString("hex"));
  announce("2001:db8::7", "03", 1);
  t.is(
    announce("2001:db8::8", "04", 1).toString("hex"),
    hex("00000001 cafebabe 0000003c 00000003 00000001 20010db8000000000000000000000007 1ae1").toString("hex"),
    "over IPv6 the peers are IPv6 ones",
  );
});

test("writeUdpScrape() and readUdpScrape() are BEP 15's", (t) => {
  const request = hex(`1122334455667788 00000002 cafebabe ${HASH} ${"01".repeat(20)} ff`);
  t.deepEqual(readUdpScrape(request), ["\xab".repeat(20), "\x01".repeat(20)]);
  const answer = writeUdpScrape(request, [
    { complete: 1, downloaded: 2, incomplete: 3 },
    { complete: 0, downloaded: 0, incomplete: 0 },
  ]);
  t.is(answer.toString("hex"), hex(`00000002 cafebabe 00000001 00000002 00000003 ${"00".repeat(12)}`).toString("hex"));
  t.is(readUdpScrape(Buffer.alloc(16 + 20 * 500)).length, 74);
});

test("writeUdpError() is never longer than what it answers", (t) => {
  t.is(writeUdpError(announcePacket(), "no").toString("hex"), hex("00000003 cafebabe 6e6f").toString("hex"));
  t.is(writeUdpError(announcePacket(), "x".repeat(500)).length, 98);
});

test("sipHash16() gives the reference vector for 16 bytes", (t) => {
  const words = (): Int32Array => new Int32Array(Uint8Array.from({ length: 16 }, (_, index) => index).buffer);
  const out = new Int32Array(2);
  sipHash16(words(), words(), out);
  // vectors_sip64[16] of the reference implementation
  t.is(Buffer.from(out.buffer).toString("hex"), "db9bc2577fcc2a3f");
});

test("ConnectionIds: good at the address for one minute at least and two at most, nowhere else", (t) => {
  let made = 0;
  const ids = new ConnectionIds(() => new Int32Array(4).fill(++made));
  const [address, other] = [new Int32Array([1, 2, 3, 4]), new Int32Array([1, 2, 3, 5])];
  const packet = Buffer.alloc(8);
  ids.write(address, 59_999, packet, 0);
  t.true(ids.check(address, 59_999, packet, 0));
  t.false(ids.check(other, 59_999, packet, 0));
  t.true(ids.check(address, 60_000, packet, 0));
  t.true(ids.check(address, 119_999, packet, 0));
  t.false(ids.check(address, 120_000, packet, 0));
  ids.write(address, 130_000, packet, 0);
  t.false(ids.check(address, 1_000_000, packet, 0), "a long silence ages every key");
});

test("no datagram throws, and no answer to an unproven sender is longer than what he sent", (t) => {
  const ask = emptyAsk();
  const start = fc.constantFrom(hex("0000041727101980 00000000"), hex("1122334455667788 00000001"), hex("1122334455667788 00000002"));
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 300, size: "max" }), (head, tail) => {
      const message = Buffer.concat([head, tail]);
      const kind = kindOfDatagram(message);
      if (kind === "announce") {
        readUdpAnnounce(message, ask);
        readUrlOption(message);
        t.true(writeUdpError(message, "unknown torrent").length <= message.length);
      }
      if (kind === "scrape") t.true(readUdpScrape(message).length > 0);
    }),
    { numRuns: 2000 },
  );
});
