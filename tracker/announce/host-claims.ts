/**
 * Addresses at which daemons want to be dialled, where it is not the one that the tracker sees (containers, address translation). Decides.
 *
 * Whoever may register tasks is told an announce URL that holds the address, signed for it and the peer; nobody else's word on an address
 * is believed, or anybody could have a swarm connect to whom he likes. Nothing is remembered: a restart changes nothing.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import type { PeerId } from "../../torrents/ids.ts";
import { addressText, readAddress } from "../swarm/address-bytes.ts";
import { type Ask, emptyAsk } from "../swarm/ask.ts";

const ADDRESS_BYTES = 16;
const SIGNATURE_BYTES = 8;
/** In an announce's path, behind the passkey where there is one. */
const CLAIM = new RegExp(`(?:^|/)at-([0-9a-f]{${ADDRESS_BYTES * 2}})([0-9a-f]{${SIGNATURE_BYTES * 2}})$`);
const CLAIM_LENGTH = "at-".length + (ADDRESS_BYTES + SIGNATURE_BYTES) * 2;

export class HostClaims {
  readonly #secret: Buffer;

  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  /** The part of an announce URL's path that claims the IP address for the peer. */
  pathFor(peer: PeerId, host: string): string {
    const address = Buffer.alloc(ADDRESS_BYTES);
    if (isIP(host) === 0 || readAddress(host, address) === 0) throw new TypeError(`${host} is no IP address`);
    const signature = this.#sign(Buffer.from(peer, "hex"), address);
    return `at-${address.toString("hex")}${signature.toString("hex")}`;
  }

  /** Sets the ask's address where the path holds a claim with a good signature; answers the path without it. */
  apply(path: string, ask: Ask): string {
    const match = path.length < CLAIM_LENGTH ? null : CLAIM.exec(path);
    if (match === null) return path;
    const address = Buffer.from(match[1], "hex");
    if (timingSafeEqual(this.#sign(ask.peerId, address), Buffer.from(match[2], "hex"))) {
      ask.address.set(address);
      ask.v6 = !isMapped(address);
    }
    return path.slice(0, match.index);
  }

  /** The address that a path claims for the peer, in words; undefined where it claims none, or its signature is wrong. */
  addressOf(peer: PeerId, path: string): string | undefined {
    const ask = emptyAsk();
    ask.peerId.write(peer, "hex");
    this.apply(path, ask);
    return ask.address.some((byte) => byte !== 0) ? addressText(ask.address, 0, ask.v6) : undefined;
  }

  #sign(peerId: Buffer, address: Buffer): Buffer {
    const hmac = createHmac("sha256", this.#secret).update("advertised address").update(peerId).update(address);
    return hmac.digest().subarray(0, SIGNATURE_BYTES);
  }
}

function isMapped(address: Buffer): boolean {
  const mapped = Buffer.alloc(ADDRESS_BYTES);
  return readAddress(addressText(address, 0, false), mapped) === 4 && mapped.equals(address);
}
