/** What is fuzzed: a reader of bytes that strangers send. */
import type { Random } from "./random.ts";

export interface FuzzTarget {
  readonly name: string;
  /** Valid inputs, from which broken ones are made. */
  samples(random: Random): readonly Buffer[];
  /** Reads the input. May throw SkimmerError `protocol` or `bad_request`; anything else is a fault of ours. */
  run(input: Buffer, random: Random): void;
}
