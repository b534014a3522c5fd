/**
 * The peers of one swarm group as records of 72 bytes in one buffer, found by address through an open hash table, in the order
 * of their last announce through links. Decides. Hot path: numbers only, no object a peer (measured: 120 bytes a peer).
 *
 * Invariant: records 0 … count-1 are in use; each is in the hash table and in the list exactly once. Removing a record moves the last
 * one into its place, so a record number is good only until the next removal.
 */
import type { Ask } from "./ask.ts";

export const FLAG = { complete: 1, ours: 2, v6: 4, paused: 8, link: 16, banned: 32 } as const;

const RECORD_BYTES = 72;
const SEEN_DOUBLE = 0;
const PREVIOUS_WORD = 2;
const NEXT_WORD = 3;
const HASH_WORD = 4;
const LEFT_WORD = 5;
// from the end of the id on, what an answer looks at in each of many records: near each other, so mostly in one line of the cache
const ID_AT = 24;
const ADDRESS_AT = 44;
const ADDRESS_WORD = 11;
/** Port (a half), flags and scope (a byte each). */
const KIND_WORD = 15;
const PORT_AT = 60;
const FLAGS_AT = 62;
const SCOPE_AT = 63;
/** Spare and success: a byte each; the other half is empty. */
const SHARES_WORD = 16;
const SPARE_AT = 64;
const SUCCESS_AT = 65;
/** Site, and how often it was handed out: a half each. */
const SITE_WORD = 17;
const SITE_HALF = 34;
const GIVEN_HALF = 35;
const LEFT_UNIT_BYTES = 16_384;
const LEFT_UNKNOWN = 0xffffffff;

/** Where the fields of a record are, for who reads many in place: its words, little end first, hold several. */
export const FIELD = {
  bytes: RECORD_BYTES,
  words: RECORD_BYTES / 4,
  halves: RECORD_BYTES / 2,
  givenHalf: GIVEN_HALF,
  siteWord: SITE_WORD,
  /** The last four bytes of the peer id. */
  idEndWord: 10,
  addressWord: ADDRESS_WORD,
  /** 16 bytes, then the port's two. */
  addressAt: ADDRESS_AT,
  kindWord: KIND_WORD,
  flagsAt: FLAGS_AT,
  sharesWord: SHARES_WORD,
} as const;

const WORDS = RECORD_BYTES / 4;
const HALVES = RECORD_BYTES / 2;
const DOUBLES = RECORD_BYTES / 8;
const LEAST_CAPACITY = 4;
const NONE = -1;

export class PeerTable {
  count = 0;
  /** The records; FIELD says where their fields are. Others only read them. */
  bytes: Uint8Array;
  words: Int32Array;
  halves: Uint16Array;
  #seen: Float64Array;
  /** Record number + 1; 0 is free. Twice as many as records. */
  #slots: Int32Array;
  #oldest = NONE;
  #newest = NONE;
  readonly #seed: number;

  /** `seed`: makes positions in the hash table unpredictable. */
  constructor(seed: number) {
    this.#seed = seed;
    this.bytes = new Uint8Array(LEAST_CAPACITY * RECORD_BYTES);
    this.words = new Int32Array(this.bytes.buffer);
    this.halves = new Uint16Array(this.bytes.buffer);
    this.#seen = new Float64Array(this.bytes.buffer);
    this.#slots = new Int32Array(LEAST_CAPACITY * 2);
  }

  /** The record of that address in that scope, or -1. */
  find(ask: Ask, scope: number): number {
    return this.#findHash(this.#hash(ask, scope), ask, scope);
  }

  /** A new record at the end of the list; its flags, site and shares are zero. The address must not be in yet. */
  add(ask: Ask, scope: number, nowMs: number): number {
    if ((this.count + 1) * RECORD_BYTES > this.bytes.length) this.#resize((this.bytes.length / RECORD_BYTES) * 2);
    const record = this.count++;
    const at = record * RECORD_BYTES;
    this.bytes.fill(0, at, at + RECORD_BYTES);
    this.bytes.set(ask.address, at + ADDRESS_AT);
    this.bytes[at + PORT_AT] = ask.port >> 8;
    this.bytes[at + PORT_AT + 1] = ask.port & 0xff;
    this.bytes[at + SCOPE_AT] = scope;
    const hash = this.#hash(ask, scope);
    this.words[record * WORDS + HASH_WORD] = hash;
    this.#insert(hash, record);
    this.#append(record, nowMs);
    return record;
  }

  setPeerId(record: number, peerId: Uint8Array): void {
    this.bytes.set(peerId, record * RECORD_BYTES + ID_AT);
  }

  hasPeerId(record: number, peerId: Uint8Array): boolean {
    const start = record * RECORD_BYTES + ID_AT;
    // the end of an id is its random part: one look settles most
    for (let at = 19; at >= 0; at--) if (this.bytes[start + at] !== peerId[at]) return false;
    return true;
  }

  peerId(record: number): Buffer {
    return Buffer.from(this.bytes.buffer, record * RECORD_BYTES + ID_AT, 20);
  }

  /** Where its 16 bytes of address are in `bytes`; the port's two follow, so 18 from here are BEP 7's, 6 from here + 12 BEP 23's. */
  addressAt(record: number): number {
    return record * RECORD_BYTES + ADDRESS_AT;
  }

  /** Peer id (20 bytes), address (16), port (2, big end first), flags (1) and scope (1), in place. */
  identity(record: number): Uint8Array {
    const at = record * RECORD_BYTES;
    return this.bytes.subarray(at + ID_AT, at + SCOPE_AT + 1);
  }

  port(record: number): number {
    const at = record * RECORD_BYTES + PORT_AT;
    return (this.bytes[at] << 8) | this.bytes[at + 1];
  }

  flags(record: number): number {
    return this.bytes[record * RECORD_BYTES + FLAGS_AT];
  }

  setFlags(record: number, flags: number): void {
    this.bytes[record * RECORD_BYTES + FLAGS_AT] = flags;
  }

  scope(record: number): number {
    return this.bytes[record * RECORD_BYTES + SCOPE_AT];
  }

  site(record: number): number {
    return this.halves[record * HALVES + SITE_HALF];
  }

  setSite(record: number, site: number): void {
    this.halves[record * HALVES + SITE_HALF] = site;
  }

  /** How often it was handed out of late. */
  given(record: number): number {
    return this.halves[record * HALVES + GIVEN_HALF];
  }

  setGiven(record: number, given: number): void {
    this.halves[record * HALVES + GIVEN_HALF] = Math.min(given, 0xffff);
  }

  /** The first `count` of these records were handed out once more. */
  noteGiven(records: Int32Array, count: number): void {
    const { halves } = this;
    for (let index = 0; index < count; index++) {
      const at = records[index] * HALVES + GIVEN_HALF;
      if (halves[at] < 0xffff) halves[at]++;
    }
  }

  spare(record: number): number {
    return this.bytes[record * RECORD_BYTES + SPARE_AT];
  }

  success(record: number): number {
    return this.bytes[record * RECORD_BYTES + SUCCESS_AT];
  }

  setShares(record: number, shares: { readonly spare: number; readonly success: number }): void {
    this.bytes[record * RECORD_BYTES + SPARE_AT] = shares.spare;
    this.bytes[record * RECORD_BYTES + SUCCESS_AT] = shares.success;
  }

  /** What it lacks, in bytes, to the next 16 KiB; undefined: it did not say. */
  leftBytes(record: number): number | undefined {
    const units = this.words[record * WORDS + LEFT_WORD] >>> 0;
    return units === LEFT_UNKNOWN ? undefined : units * LEFT_UNIT_BYTES;
  }

  setLeft(record: number, left: number): void {
    this.words[record * WORDS + LEFT_WORD] = Math.min(LEFT_UNKNOWN, Math.ceil(left / LEFT_UNIT_BYTES));
  }

  seenMs(record: number): number {
    return this.#seen[record * DOUBLES + SEEN_DOUBLE];
  }

  /** It announced again: the newest of all. */
  touch(record: number, nowMs: number): void {
    if (record === this.#newest) {
      this.#seen[record * DOUBLES + SEEN_DOUBLE] = nowMs;
      return;
    }
    this.#unlink(record);
    this.#append(record, nowMs);
  }

  /** Who was silent longest, or -1. */
  get oldest(): number {
    return this.#oldest;
  }

  /** Who announced next after that one, or -1. */
  newer(record: number): number {
    return this.words[record * WORDS + NEXT_WORD];
  }

  remove(record: number): void {
    this.#unlink(record);
    this.#vacate(this.#slotOf(record));
    const last = --this.count;
    if (record !== last) this.#move(last, record);
    const capacity = this.bytes.length / RECORD_BYTES;
    if (capacity > LEAST_CAPACITY && this.count < capacity / 4) this.#resize(capacity / 2);
  }

  /** Fills an Ask with the record's address, port and id: for putting it into another table. */
  read(record: number, ask: Ask): void {
    const at = record * RECORD_BYTES;
    ask.address.set(this.bytes.subarray(at + ADDRESS_AT, at + ADDRESS_AT + 16));
    ask.port = this.port(record);
    ask.v6 = (this.flags(record) & FLAG.v6) !== 0;
    ask.site = this.site(record);
    ask.spare = this.spare(record);
    ask.peerId.set(this.bytes.subarray(at + ID_AT, at + ID_AT + 20));
  }

  #hash(ask: Ask, scope: number): number {
    const words = ask.addressWords;
    let hash = this.#seed;
    for (let index = 0; index < 4; index++) hash = mix(hash ^ words[index]);
    return mix(hash ^ (ask.port | (scope << 16)));
  }

  #findHash(hash: number, ask: Ask, scope: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const record = this.#slots[slot] - 1;
      if (this.words[record * WORDS + HASH_WORD] === hash && this.#is(record, ask, scope)) return record;
    }
    return NONE;
  }

  #is(record: number, ask: Ask, scope: number): boolean {
    const word = record * WORDS + ADDRESS_WORD;
    const { addressWords } = ask;
    return (
      this.words[word + 3] === addressWords[3] &&
      this.words[word + 2] === addressWords[2] &&
      this.words[word + 1] === addressWords[1] &&
      this.words[word] === addressWords[0] &&
      this.port(record) === ask.port &&
      this.scope(record) === scope
    );
  }

  #insert(hash: number, record: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = record + 1;
  }

  #slotOf(record: number): number {
    const mask = this.#slots.length - 1;
    let slot = this.words[record * WORDS + HASH_WORD] & mask;
    while (this.#slots[slot] !== record + 1) slot = (slot + 1) & mask;
    return slot;
  }

  /** Frees a slot and moves those behind it up, so that no search ends too early. */
  #vacate(slot: number): void {
    const mask = this.#slots.length - 1;
    let free = slot;
    for (let next = (free + 1) & mask; this.#slots[next] !== 0; next = (next + 1) & mask) {
      const home = this.words[(this.#slots[next] - 1) * WORDS + HASH_WORD] & mask;
      if (((next - home) & mask) < ((next - free) & mask)) continue;
      this.#slots[free] = this.#slots[next];
      free = next;
    }
    this.#slots[free] = 0;
  }

  #append(record: number, nowMs: number): void {
    this.#seen[record * DOUBLES + SEEN_DOUBLE] = nowMs;
    this.words[record * WORDS + PREVIOUS_WORD] = this.#newest;
    this.words[record * WORDS + NEXT_WORD] = NONE;
    this.#relink(record);
  }

  #unlink(record: number): void {
    const previous = this.words[record * WORDS + PREVIOUS_WORD];
    const next = this.words[record * WORDS + NEXT_WORD];
    if (previous === NONE) this.#oldest = next;
    else this.words[previous * WORDS + NEXT_WORD] = next;
    if (next === NONE) this.#newest = previous;
    else this.words[next * WORDS + PREVIOUS_WORD] = previous;
  }

  /** Has its neighbours in the list point at it. */
  #relink(record: number): void {
    const previous = this.words[record * WORDS + PREVIOUS_WORD];
    const next = this.words[record * WORDS + NEXT_WORD];
    if (previous === NONE) this.#oldest = record;
    else this.words[previous * WORDS + NEXT_WORD] = record;
    if (next === NONE) this.#newest = record;
    else this.words[next * WORDS + PREVIOUS_WORD] = record;
  }

  #move(from: number, to: number): void {
    this.#slots[this.#slotOf(from)] = to + 1;
    this.bytes.copyWithin(to * RECORD_BYTES, from * RECORD_BYTES, (from + 1) * RECORD_BYTES);
    this.#relink(to);
  }

  #resize(capacity: number): void {
    const bytes = new Uint8Array(capacity * RECORD_BYTES);
    bytes.set(this.bytes.subarray(0, this.count * RECORD_BYTES));
    this.bytes = bytes;
    this.words = new Int32Array(bytes.buffer);
    this.halves = new Uint16Array(bytes.buffer);
    this.#seen = new Float64Array(bytes.buffer);
    this.#slots = new Int32Array(capacity * 2);
    for (let record = 0; record < this.count; record++) this.#insert(this.words[record * WORDS + HASH_WORD], record);
  }
}

function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
