/**
 * How many copies there are of each piece, as a short text: one character for each stretch of pieces, which tells of its rarest piece. Decides.
 * Invariant: at most MOST_CELLS characters; at most MOST_MAPS bitfields are walked through, and who is beyond them counts for nothing.
 */

const MOST_CELLS = 1000;
const MOST_MAPS = 500;
const MOST_COPIES = 35;

export interface MapInput {
  readonly pieceCount: number;
  /** Who has everything. */
  readonly whole: number;
  /** Bitfields (BEP 3) of those who have a part, base64. */
  readonly maps: readonly string[];
}

/** Base 36, `z` for 35 copies and more. */
export function pieceMap({ pieceCount, whole, maps }: MapInput): string {
  const copies = new Uint16Array(pieceCount).fill(whole);
  for (const map of maps.slice(0, MOST_MAPS)) addMap(copies, Buffer.from(map, "base64"));
  const cells = Math.min(pieceCount, MOST_CELLS);
  let text = "";
  for (let cell = 0; cell < cells; cell++) {
    const first = Math.floor((cell * pieceCount) / cells);
    const end = Math.floor(((cell + 1) * pieceCount) / cells);
    let rarest = MOST_COPIES;
    for (let index = first; index < end; index++) rarest = Math.min(rarest, copies[index]);
    text += rarest.toString(36);
  }
  return text;
}

function addMap(copies: Uint16Array, bits: Buffer): void {
  const end = Math.min(copies.length, bits.length * 8);
  for (let index = 0; index < end; index++) if ((bits[index >> 3] & (0x80 >> (index & 7))) !== 0) copies[index]++;
}
