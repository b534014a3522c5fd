/**
 * Which pieces somebody has: one bit a piece, high bit first (BEP 3), with the count kept beside it.
 * Invariant: `count` is the number of set bits, and no bit past `length` is ever set.
 */

/** A fixed-length set of piece indices. */
export class Bitfield {
  readonly length: number;
  readonly bytes: Buffer;
  #count = 0;

  constructor(length: number) {
    this.length = length;
    this.bytes = Buffer.alloc(Math.ceil(length / 8));
  }

  /** Reads a BEP 3 bitfield; undefined where its length is wrong or a spare bit is set. */
  static fromWire(bytes: Buffer, length: number): Bitfield | undefined {
    const field = new Bitfield(length);
    if (bytes.length !== field.bytes.length) return undefined;
    const spareBits = field.bytes.length * 8 - length;
    if (spareBits > 0 && (bytes[bytes.length - 1] & ((1 << spareBits) - 1)) !== 0) return undefined;
    bytes.copy(field.bytes);
    for (const byte of bytes) field.#count += BITS_OF[byte];
    return field;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.length;
  }

  has(index: number): boolean {
    return (this.bytes[index >> 3] & (0x80 >> (index & 7))) !== 0;
  }

  /** Sets the bit; false where it was set already. */
  add(index: number): boolean {
    if (this.has(index)) return false;
    this.bytes[index >> 3] |= 0x80 >> (index & 7);
    this.#count++;
    return true;
  }

  /** Clears the bit; false where it was clear already. */
  delete(index: number): boolean {
    if (!this.has(index)) return false;
    this.bytes[index >> 3] &= ~(0x80 >> (index & 7));
    this.#count--;
    return true;
  }

  addAll(): void {
    for (let index = 0; index < this.length; index++) this.add(index);
  }
}

const BITS_OF = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);
