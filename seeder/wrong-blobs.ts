/**
 * Blobs whose registry sent other content than their digest says, a moment ago. Decides: time is an argument.
 * Whoever asks is told so instead of fetching the whole of it once more; soon the registry gets another try.
 * Bounded: the one that was noted longest ago goes.
 */
import { SkimmerError } from "../system/errors.ts";

const WRONG_MS = 15_000;
const MOST_BLOBS = 1000;

export class WrongBlobs {
  /** By what was asked for: Caller.content. */
  readonly #untilMs = new Map<string, number>();

  note(content: string, nowMs: number): void {
    this.#untilMs.delete(content);
    this.#untilMs.set(content, nowMs + WRONG_MS);
    if (this.#untilMs.size > MOST_BLOBS) this.#untilMs.delete(this.#untilMs.keys().next().value as string);
  }

  /** Throws SkimmerError `digest_mismatch`. */
  check(content: string, nowMs: number): void {
    if ((this.#untilMs.get(content) ?? 0) <= nowMs) return;
    throw new SkimmerError("digest_mismatch", "the registry sent content with another digest a moment ago", {
      hint: "Try again in a minute; if it stays so, push the image again.",
    });
  }
}
