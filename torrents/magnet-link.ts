/**
 * Magnet links as they come from anywhere: v1 hashes in hex or base32, v2 hashes (BEP 9, 52), trackers, peers, web seeds,
 * selected files (BEP 53). Decides. What makes no sense is left out; a link without a usable hash is refused.
 */
import { SkimmerError } from "../system/errors.ts";
import { type FileRange, parseFileRanges } from "./file-selection.ts";
import { type InfoHash, parseInfoHash } from "./ids.ts";
import { safeName } from "./safe-name.ts";

export interface MagnetLink {
  readonly hashes: readonly InfoHash[];
  readonly name: string;
  readonly trackers: readonly string[];
  /** `x.pe`, as written. */
  readonly peers: readonly string[];
  readonly webSeeds: readonly string[];
  /** `so`: only these files. */
  readonly selected: readonly FileRange[];
}

const MOST_LENGTH = 256 * 1024;

/** Throws SkimmerError `bad_request`. */
export function parseMagnet(text: string): MagnetLink {
  const url = text.length > MOST_LENGTH ? null : URL.parse(text);
  if (url?.protocol !== "magnet:") throw bad("this is no magnet link", "It begins with magnet:?xt=urn:btih:");
  const { searchParams } = url;
  const all = (name: string): string[] =>
    [...searchParams].filter(([key]) => key === name || key.startsWith(`${name}.`)).map(([, value]) => value);
  const hashes = [...new Set(all("xt").flatMap(magnetHash))];
  if (hashes.length === 0) throw bad("the magnet link names no torrent", "It needs xt=urn:btih: or xt=urn:btmh:1220.");
  const selected = searchParams.get("so");
  return {
    hashes,
    name: safeName(searchParams.get("dn") ?? hashes[0]),
    trackers: all("tr"),
    peers: searchParams.getAll("x.pe"),
    webSeeds: all("ws"),
    selected: selected === null || selected === "" ? [] : parseFileRanges(selected, 0),
  };
}

function magnetHash(topic: string): InfoHash[] {
  const [, kind, value] = /^urn:(btih|btmh):([0-9a-z]+)$/i.exec(topic) ?? [];
  if (kind === undefined) return [];
  if (kind.toLowerCase() === "btmh") return /^1220[0-9a-f]{64}$/i.test(value) ? [value.slice(4, 44).toLowerCase() as InfoHash] : [];
  const hash = parseInfoHash(value.length === 32 ? base32ToHex(value) : value);
  return hash === undefined ? [] : [hash];
}

function base32ToHex(text: string): string {
  const digits = [...text.toUpperCase()].map((digit) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(digit));
  if (digits.includes(-1)) return "";
  const bits = digits.map((digit) => digit.toString(2).padStart(5, "0")).join("");
  return (bits.match(/.{4}/g) ?? []).map((nibble) => Number.parseInt(nibble, 2).toString(16)).join("");
}

function bad(message: string, hint: string): SkimmerError {
  return new SkimmerError("bad_request", message, { hint });
}
