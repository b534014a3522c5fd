/**
 * Which addresses a URL that somebody else gave may lead to (against server-side request forgery). Decides.
 *
 * `allow` goes before `deny`, `deny` before what is always denied: link-local addresses, where clouds keep their metadata and credentials,
 * metadata addresses elsewhere, and what is no host at all. Loopback is allowed only where the caller is on this machine. Private ranges are
 * where a data centre's origins are. Addresses are checked as numbers, IPv4 inside IPv6 too, so that their spelling does not count.
 */
import { BlockList, isIP, isIPv6 } from "node:net";
import { plainAddress } from "./addresses.ts";
import { SkimmerError } from "./errors.ts";

const LOOPBACK = ["127.0.0.0/8", "::1/128"];
const LINK_LOCAL = ["169.254.0.0/16", "fe80::/10"];
/** Of AWS, Google, Alibaba, Azure and Oracle, where they are not link-local. */
const METADATA = ["fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"];
/** This network, multicast, reserved. */
const NO_HOST = ["0.0.0.0/8", "::/128", "224.0.0.0/4", "240.0.0.0/4", "ff00::/8"];
/** Words for ranges, as options take them. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  loopback: LOOPBACK,
  "link-local": LINK_LOCAL,
  metadata: METADATA,
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"],
  all: ["0.0.0.0/0", "::/0"],
};
const MOST_RANGES = 1000;

export interface ReachRules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

export class Reach {
  readonly #allow: BlockList;
  readonly #deny: BlockList;
  readonly #always = listOf([...LINK_LOCAL, ...METADATA, ...NO_HOST]);
  readonly #loopback = listOf(LOOPBACK);

  /** With ranges as parseRanges() gives them. */
  constructor({ allow, deny }: ReachRules) {
    this.#allow = listOf(allow);
    this.#deny = listOf(deny);
  }

  /** Whether the address may be connected to. `loopback`: for a caller on this machine. */
  allows(address: string, { loopback }: { readonly loopback: boolean }): boolean {
    const plain = embeddedIPv4(plainAddress(address.split("%", 1)[0]));
    if (isIP(plain) === 0) return false;
    const within = (list: BlockList): boolean => list.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
    if (within(this.#allow)) return true;
    if (within(this.#deny) || within(this.#always)) return false;
    return loopback || !within(this.#loopback);
  }
}

/** What whoever asked for a denied address is told. */
export function deniedError(host: string): SkimmerError {
  return new SkimmerError("forbidden", `${host} leads to an address that may not be fetched`, {
    hint: "Where it is meant to be fetched, allow it: --origin-allow ADDRESS/BITS at the seeder and the supernode.",
  });
}

/** `10.0.0.0/8,fd00::/8,192.0.2.7,loopback`, added to those of earlier mentions. Throws SkimmerError `bad_request`. */
export function parseRanges(text: string, previous: unknown): string[] {
  const words = text.split(",").map((part) => part.trim().toLowerCase());
  const ranges = words.flatMap((word) => (Object.hasOwn(WORDS, word) ? WORDS[word] : [checkRange(word)]));
  const all = [...((previous as string[] | undefined) ?? []), ...ranges];
  if (all.length <= MOST_RANGES) return all;
  throw new SkimmerError("bad_request", `more than ${MOST_RANGES} ranges`);
}

function checkRange(text: string): string {
  const [address, bits = isIPv6(address) ? "128" : "32", ...more] = text.split("/");
  const most = isIP(address) === 6 ? 128 : 32;
  if (isIP(address) !== 0 && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most) return `${address}/${bits}`;
  throw new SkimmerError("bad_request", `cannot read the range of addresses "${text}"`, {
    hint: `Write 10.0.0.0/8, 192.0.2.7, fd00::/8, or one of ${Object.keys(WORDS).join(", ")}.`,
  });
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address, bits] = range.split("/");
    list.addSubnet(address, Number(bits), isIPv6(address) ? "ipv6" : "ipv4");
  }
  return list;
}

/** The IPv4 address that an IPv6 one stands for where a translator is on the way (RFC 6052, 3056): it ends up there. */
function embeddedIPv4(address: string): string {
  if (!isIPv6(address)) return address;
  const groups = expand(address);
  const dotted = (high: number, low: number): string => [high >> 8, high & 255, low >> 8, low & 255].join(".");
  const zeros = (from: number, to: number): boolean => groups.slice(from, to).every((group) => group === 0);
  if (groups[0] === 0x64 && groups[1] === 0xff9b && (zeros(2, 6) || groups[2] === 1)) return dotted(groups[6], groups[7]);
  // ::ffff:0:a.b.c.d (RFC 2765)
  if (zeros(0, 4) && groups[4] === 0xffff && groups[5] === 0) return dotted(groups[6], groups[7]);
  if (groups[0] === 0x2002) return dotted(groups[1], groups[2]);
  // ::a.b.c.d, long out of use, and ::ffff:a.b.c.d in hexadecimal; not :: and ::1
  const compatible = zeros(0, 5) && (groups[5] === 0xffff || (groups[5] === 0 && groups[6] !== 0));
  return compatible ? dotted(groups[6], groups[7]) : address;
}

/** The eight groups of a valid IPv6 address. */
function expand(address: string): number[] {
  const hex = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => {
    const [high, low] = [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)];
    return `${high.toString(16)}:${low.toString(16)}`;
  });
  const [left, right] = hex.split("::").map((half) => (half === "" ? [] : half.split(":").map((group) => Number.parseInt(group, 16))));
  if (right === undefined) return left;
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}
