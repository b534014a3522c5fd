/**
 * Hashes what is sent and lets the last bytes out only when the whole has the wanted digest: nobody takes wrong content for
 * complete. Decides nothing but that; holds no bytes. Invariant: bytes pass in order, each once.
 */
import { createHash, type Hash } from "node:crypto";
import { SkimmerError } from "../system/errors.ts";

export interface GateOptions {
  /** `sha256:…` or `sha512:…`. */
  readonly digest: string;
  /** Infinite: not known; then finish() checks. */
  readonly lengthBytes: number;
  /** First byte that will pass; a whole can be checked only from its beginning. */
  readonly firstByte: number;
  /** The content is known to be right. */
  readonly trusted: boolean;
}

export class DigestGate {
  readonly #options: GateOptions;
  readonly #hash: Hash | undefined;
  #at: number;
  #found: string | undefined;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#at = options.firstByte;
    if (!options.trusted && options.firstByte === 0) this.#hash = createHash(options.digest.startsWith("sha512:") ? "sha512" : "sha256");
  }

  /** Offset of the next byte. */
  get at(): number {
    return this.#at;
  }

  /** The digest in hexadecimal, once it was found right. */
  get verified(): string | undefined {
    return this.#found;
  }

  /** These bytes come next. Throws SkimmerError `digest_mismatch` with the last ones where the whole is wrong. */
  pass(bytes: Buffer): void {
    this.#at += bytes.length;
    if (this.#hash === undefined) return;
    this.#hash.update(bytes);
    if (this.#at === this.#options.lengthBytes) this.finish();
  }

  /** Nothing more comes: for content whose length was not known. Throws SkimmerError `digest_mismatch`. */
  finish(): void {
    if (this.#hash === undefined || this.#found !== undefined) return;
    const hex = this.#hash.digest("hex");
    const { digest } = this.#options;
    if (!digest.endsWith(`:${hex}`)) throw new SkimmerError("digest_mismatch", `the content has the digest ${hex}, not ${digest}`);
    this.#found = hex;
  }
}
