/**
 * IPv4 addresses that stand for IPv6 ones, for code that knows no others. Decides.
 *
 * An address has the same one for as long as this lives: a keyed hash of it, so that nobody can choose to be taken for somebody else, in
 * 240.0.0.0/4, which is nobody's. Bounded: the least recently used is forgotten, and gets the same one when it comes again.
 */
import { createHmac } from "node:crypto";
import { isIPv6 } from "node:net";
import { bytesV6, hostV6 } from "../engine/pex.ts";

const MOST = 20_000;

export class StandIns {
  readonly #key: Buffer;
  /** In the order of use. */
  readonly #hosts = new Map<string, string>();

  constructor(key: Buffer) {
    this.#key = key;
  }

  /** undefined where it is no IPv6 address that can be dialled from anywhere. */
  standInFor(host: string): string | undefined {
    if (!isIPv6(host) || host.includes("%")) return undefined;
    const bytes = bytesV6(host);
    if (!isUnicast(bytes)) return undefined;
    const [first, ...others] = createHmac("sha256", this.#key).update(bytes).digest();
    const standIn = [0xf0 | first, ...others.slice(0, 3)].join(".");
    this.#hosts.delete(standIn);
    this.#hosts.set(standIn, hostV6(bytes));
    if (this.#hosts.size > MOST) this.#hosts.delete(this.#hosts.keys().next().value as string);
    return standIn;
  }

  /** Whom it stands for; undefined: nobody, or it was forgotten. */
  hostOf(standIn: string): string | undefined {
    const host = this.#hosts.get(standIn);
    if (host === undefined) return undefined;
    this.#hosts.delete(standIn);
    this.#hosts.set(standIn, host);
    return host;
  }
}

/** Neither ::, multicast, link-local, nor IPv4 in disguise. */
function isUnicast(bytes: Buffer): boolean {
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff;
  const isLinkLocal = bytes[0] === 0xfe && (bytes[1] & 0xc0) === 0x80;
  return bytes[0] !== 0xff && !isMapped && !isLinkLocal && bytes.some((byte) => byte !== 0);
}
