import test from "ava";
import type { InfoHash, PeerId } from "../../../../torrents/ids.ts";
import { HostClaims } from "../../../../tracker/announce/host-claims.ts";
import { addressText } from "../../../../tracker/swarm/address-bytes.ts";
import { type Ask, makeAsk } from "../../../../tracker/swarm/ask.ts";

const PEER = "2d534b303030312d000000000000000000000001" as PeerId;
const OTHER = "2d534b303030312d000000000000000000000002" as PeerId;
const claims = new HostClaims(Buffer.alloc(32, 1));

function askOf(peerId: PeerId): Ask {
  const ask = makeAsk({ infoHash: "ab".repeat(20) as InfoHash, peerId, ip: "192.0.2.1", port: 7000 });
  if (ask === undefined) throw new Error("no ask");
  return ask;
}

function addressOf(ask: Ask): string {
  return addressText(ask.address, 0, ask.v6);
}

for (const [host, shown] of [
  ["10.1.2.3", "10.1.2.3"],
  ["2001:db8::7", "2001:db8:0:0:0:0:0:7"],
]) {
  test(`HostClaims.apply() takes ${host} from the path that was made for the peer, and leaves the passkey`, (t) => {
    const claim = claims.pathFor(PEER, host);
    for (const [path, rest] of [
      [claim, ""],
      [`${"0".repeat(32)}/${claim}`, "0".repeat(32)],
    ]) {
      const ask = askOf(PEER);
      t.is(claims.apply(path, ask), rest);
      t.is(addressOf(ask), shown);
    }
  });
}

test("HostClaims.apply() believes no claim of another peer, of another secret, or of another address", (t) => {
  const claim = claims.pathFor(PEER, "10.1.2.3");
  const forged = [
    [claim, OTHER],
    [new HostClaims(Buffer.alloc(32, 2)).pathFor(PEER, "10.1.2.3"), PEER],
    [claim.replace("0a010203", "0a010204"), PEER],
  ] as const;
  for (const [path, peer] of forged) {
    const ask = askOf(peer);
    t.is(claims.apply(path, ask), "");
    t.is(addressOf(ask), "192.0.2.1");
  }
});

test("HostClaims.apply() leaves every other path as it is", (t) => {
  for (const path of ["", "0123abcd", "at-", `at-${"0".repeat(47)}`, `at-${"g".repeat(48)}`, `x${claims.pathFor(PEER, "10.1.2.3")}`]) {
    const ask = askOf(PEER);
    t.is(claims.apply(path, ask), path);
    t.is(addressOf(ask), "192.0.2.1");
  }
});

test("HostClaims.pathFor() refuses what is no IP address", (t) => {
  t.throws(() => claims.pathFor(PEER, "host.example"), { instanceOf: TypeError });
});
