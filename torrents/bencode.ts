/**
 * Bencoding (BEP 3), strict and bounded. Decides.
 *
 * The bencode package has no limits on nesting or count and accepts lying lengths; everything decoded here may come from
 * a stranger. Dictionaries are Maps with latin1 keys, so that binary keys survive. Byte strings are views of the input.
 */
import { SkimmerError } from "../system/errors.ts";

export type BencodeDict = Map<string, BencodeValue>;
export type BencodeValue = number | Buffer | BencodeValue[] | BencodeDict;

/** What encode() takes: strings are UTF-8, absent values of a record are left out. */
export type Encodable =
  | number
  | string
  | Uint8Array
  | readonly Encodable[]
  | ReadonlyMap<string, Encodable>
  | { readonly [key: string]: Encodable | undefined };

export interface BencodeLimits {
  readonly maxDepth?: number;
  readonly maxItems?: number;
}

const MAX_DEPTH = 32;
const MAX_ITEMS = 200_000;
const MAX_INTEGER_DIGITS = 16;

/** The bencoded form; dictionary keys are sorted by their raw bytes. */
export function encode(value: Encodable): Buffer {
  const parts: Uint8Array[] = [];
  encodeInto(parts, value);
  return Buffer.concat(parts);
}

function encodeInto(parts: Uint8Array[], value: Encodable): void {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new RangeError(`cannot bencode the number ${value}`);
    parts.push(Buffer.from(`i${value}e`));
  } else if (typeof value === "string") encodeBytes(parts, Buffer.from(value, "utf8"));
  else if (value instanceof Uint8Array) encodeBytes(parts, value);
  else if (Array.isArray(value)) {
    parts.push(LIST);
    for (const item of value) encodeInto(parts, item);
    parts.push(END);
  } else encodeDict(parts, value as ReadonlyMap<string, Encodable> | Record<string, Encodable>);
}

function encodeBytes(parts: Uint8Array[], bytes: Uint8Array): void {
  parts.push(Buffer.from(`${bytes.length}:`), bytes);
}

function encodeDict(parts: Uint8Array[], dict: ReadonlyMap<string, Encodable> | Readonly<Record<string, Encodable | undefined>>): void {
  const entries: (readonly [string, Encodable | undefined])[] = dict instanceof Map ? [...dict] : Object.entries(dict);
  const keyed = entries
    .filter((entry) => entry[1] !== undefined)
    .map(([key, item]) => ({ key: Buffer.from(key, "latin1"), item: item as Encodable }));
  keyed.sort((a, b) => Buffer.compare(a.key, b.key));
  parts.push(DICT);
  for (const { key, item } of keyed) {
    encodeBytes(parts, key);
    encodeInto(parts, item);
  }
  parts.push(END);
}

const LIST = Buffer.from("l");
const DICT = Buffer.from("d");
const END = Buffer.from("e");

/** Decodes one value that fills `bytes`. Throws SkimmerError `protocol`. */
export function decode(bytes: Uint8Array, limits: BencodeLimits = {}): BencodeValue {
  const { value, lengthBytes } = decodePrefix(bytes, limits);
  if (lengthBytes !== bytes.length) throw broken("bytes follow the value", lengthBytes);
  return value;
}

/** Decodes the value at the front; tells how many bytes it took (ut_metadata: data follows the dictionary). */
export function decodePrefix(bytes: Uint8Array, limits: BencodeLimits = {}): { value: BencodeValue; lengthBytes: number } {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const reader = new Reader(input, limits.maxDepth ?? MAX_DEPTH, limits.maxItems ?? MAX_ITEMS);
  const value = reader.value(0);
  return { value, lengthBytes: reader.at };
}

/** The bytes of the value under `key` as they were written, in a dictionary that fills `bytes`; an info hash is over them. */
export function rawValue(bytes: Uint8Array, key: string, limits: BencodeLimits = {}): Buffer | undefined {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const reader = new Reader(input, limits.maxDepth ?? MAX_DEPTH, limits.maxItems ?? MAX_ITEMS);
  return reader.rawValue(key);
}

/** Decodes one value that must be a dictionary. */
export function decodeDict(bytes: Uint8Array, limits: BencodeLimits = {}): BencodeDict {
  return checkedDict(decode(bytes, limits));
}

class Reader {
  at = 0;
  readonly #input: Buffer;
  readonly #maxDepth: number;
  #itemsLeft: number;

  constructor(input: Buffer, maxDepth: number, maxItems: number) {
    this.#input = input;
    this.#maxDepth = maxDepth;
    this.#itemsLeft = maxItems;
  }

  value(depth: number): BencodeValue {
    if (depth > this.#maxDepth) throw broken("nested too deeply", this.at);
    if (--this.#itemsLeft < 0) throw broken("too many values", this.at);
    const mark = this.#input[this.at];
    if (mark === 0x69) return this.#integer();
    if (mark === 0x6c) return this.#list(depth);
    if (mark === 0x64) return this.#dict(depth);
    return this.#bytes();
  }

  rawValue(wanted: string): Buffer | undefined {
    if (this.#input[this.at++] !== 0x64) throw broken("not a dictionary", 0);
    while (this.#input[this.at] !== 0x65) {
      const key = this.#bytes().toString("latin1");
      const begin = this.at;
      this.value(1);
      if (key === wanted) return this.#input.subarray(begin, this.at);
    }
    return undefined;
  }

  #integer(): number {
    this.at++;
    const end = this.#find(0x65, MAX_INTEGER_DIGITS + 1);
    const text = this.#input.toString("latin1", this.at, end);
    if (!/^(0|-?[1-9][0-9]*)$/.test(text)) throw broken("bad integer", this.at);
    const value = Number(text);
    if (!Number.isSafeInteger(value)) throw broken("integer out of range", this.at);
    this.at = end + 1;
    return value;
  }

  #bytes(): Buffer {
    const colon = this.#find(0x3a, MAX_INTEGER_DIGITS);
    const text = this.#input.toString("latin1", this.at, colon);
    if (!/^(0|[1-9][0-9]*)$/.test(text)) throw broken("bad string length", this.at);
    const end = colon + 1 + Number(text);
    if (end > this.#input.length) throw broken("string longer than the data", this.at);
    this.at = end;
    return this.#input.subarray(colon + 1, end);
  }

  #list(depth: number): BencodeValue[] {
    const list: BencodeValue[] = [];
    this.at++;
    while (this.#input[this.at] !== 0x65) list.push(this.value(depth + 1));
    this.at++;
    return list;
  }

  #dict(depth: number): BencodeDict {
    const dict: BencodeDict = new Map();
    this.at++;
    while (this.#input[this.at] !== 0x65) {
      const key = this.#bytes().toString("latin1");
      if (dict.has(key)) throw broken("duplicate key", this.at);
      dict.set(key, this.value(depth + 1));
    }
    this.at++;
    return dict;
  }

  #find(mark: number, within: number): number {
    const most = Math.min(this.#input.length, this.at + within + 1);
    for (let at = this.at; at < most; at++) if (this.#input[at] === mark) return at;
    throw broken("cut off or malformed", this.at);
  }
}

function broken(what: string, at: number): SkimmerError {
  return new SkimmerError("protocol", `bencoded data is broken at byte ${at}: ${what}`);
}

function checkedDict(value: BencodeValue): BencodeDict {
  if (value instanceof Map) return value;
  throw new SkimmerError("protocol", "bencoded data is not a dictionary");
}

/** Callers cast what a stranger sent: a value that is no dictionary is the stranger's fault, not a crash of ours. */
function valueAt(dict: BencodeDict, key: string): BencodeValue | undefined {
  return checkedDict(dict).get(key);
}

/** The integer under the key, or undefined where it is absent or something else. */
export function dictInt(dict: BencodeDict, key: string): number | undefined {
  const value = valueAt(dict, key);
  return typeof value === "number" ? value : undefined;
}

export function dictBytes(dict: BencodeDict, key: string): Buffer | undefined {
  const value = valueAt(dict, key);
  return Buffer.isBuffer(value) ? value : undefined;
}

export function dictString(dict: BencodeDict, key: string): string | undefined {
  return dictBytes(dict, key)?.toString("utf8");
}

export function dictDict(dict: BencodeDict, key: string): BencodeDict | undefined {
  const value = valueAt(dict, key);
  return value instanceof Map ? value : undefined;
}

export function dictList(dict: BencodeDict, key: string): BencodeValue[] | undefined {
  const value = valueAt(dict, key);
  return Array.isArray(value) ? value : undefined;
}
