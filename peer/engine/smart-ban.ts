/**
 * Whose block made a piece wrong. Decides. libtorrent's idea (smart_ban): a wrong piece of several bringers proves nothing
 * about any of them, but when it comes out right later, who brought a block that was different then brought a wrong one.
 * Only hashes of the blocks are kept, of few pieces: the oldest is forgotten.
 */
import { hash } from "node:crypto";
import { BLOCK_BYTES } from "../../torrents/geometry.ts";

const MOST_PIECES = 64;

interface Suspicion<Who> {
  readonly block: number;
  readonly who: Who;
  readonly digest: string;
}

export class SmartBan<Who> {
  /** By piece; in the order of failing. */
  readonly #suspicions = new Map<number, Suspicion<Who>[]>();

  /** The piece's hash was wrong; `bringers` by block. Remembers what each brought. */
  onBad(index: number, bytes: Buffer, bringers: readonly (Who | undefined)[]): void {
    const suspicions = this.#suspicions.get(index) ?? [];
    for (const [block, who] of bringers.entries()) {
      if (who !== undefined) suspicions.push({ block, who, digest: digestOf(bytes, block) });
    }
    this.#suspicions.delete(index);
    this.#suspicions.set(index, suspicions);
    const [oldest] = this.#suspicions.keys();
    if (this.#suspicions.size > MOST_PIECES) this.#suspicions.delete(oldest);
  }

  /** The piece is right now: answers who had brought other bytes for a block of it, each once. */
  onGood(index: number, bytes: Buffer): Set<Who> {
    const suspicions = this.#suspicions.get(index) ?? [];
    this.#suspicions.delete(index);
    return new Set(suspicions.filter(({ block, digest }) => digestOf(bytes, block) !== digest).map(({ who }) => who));
  }
}

function digestOf(bytes: Buffer, block: number): string {
  return hash("sha256", bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES), "base64");
}
