/** Makes broken inputs of valid ones: what bit errors, cuts, liars about lengths and mixers of messages make of them. Decides. */
import { below, type Random, randomBytesOf } from "./random.ts";

const MOST_INPUT_BYTES = 64 * 1024;
const MOST_STEPS = 6;
/** Numbers at which code breaks. */
const EDGES = [0, 1, 2, 4, 13, 20, 255, 256, 16384, 16385, 65535, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
/** The same in text. */
const TEXTS = [
  "0",
  "-1",
  "-0",
  "00",
  "1e9",
  "4294967296",
  "9007199254740992",
  "99999999999999999999",
  "i",
  "d",
  "l",
  "e",
  ":",
  "%",
  "\r\n",
];

type Step = (input: Buffer, random: Random, samples: readonly Buffer[]) => Buffer;

const STEPS: readonly Step[] = [
  (input, random) => {
    const copy = Buffer.from(input);
    if (copy.length > 0) copy[below(random, copy.length)] ^= 1 << below(random, 8);
    return copy;
  },
  (input, random) => {
    const copy = Buffer.from(input);
    if (copy.length > 0) copy[below(random, copy.length)] = below(random, 256);
    return copy;
  },
  (input, random) => {
    const copy = Buffer.from(input);
    if (copy.length >= 4) copy.writeUInt32BE(EDGES[below(random, EDGES.length)], below(random, copy.length - 3));
    return copy;
  },
  (input, random) => {
    const at = below(random, input.length + 1);
    return Buffer.concat([input.subarray(0, at), randomBytesOf(random, 1 + below(random, 20)), input.subarray(at)]);
  },
  (input, random) => {
    const [from, to] = span(input, random);
    return Buffer.concat([input.subarray(0, from), input.subarray(to)]);
  },
  (input, random) => {
    const [from, to] = span(input, random);
    const times = 1 + below(random, 8);
    return Buffer.concat([input.subarray(0, from), ...new Array<Buffer>(times).fill(input.subarray(from, to)), input.subarray(from)]);
  },
  (input, random) => input.subarray(0, below(random, input.length + 1)),
  (input, random, samples) => {
    const other = samples[below(random, samples.length)];
    return Buffer.concat([input.subarray(0, below(random, input.length + 1)), other.subarray(below(random, other.length + 1))]);
  },
  (input, random) => {
    const [from, to] = digits(input, random);
    const text = Buffer.from(TEXTS[below(random, TEXTS.length)], "latin1");
    return Buffer.concat([input.subarray(0, from), text, input.subarray(to)]);
  },
];

/** One of the samples after a few steps; now and then none of them, or noise. */
export function mutated(samples: readonly Buffer[], random: Random): Buffer {
  if (random() < 0.02) return randomBytesOf(random, below(random, 300));
  let input: Buffer = samples[below(random, samples.length)];
  for (let step = below(random, MOST_STEPS + 1); step > 0; step--) input = STEPS[below(random, STEPS.length)](input, random, samples);
  return Buffer.from(input.subarray(0, MOST_INPUT_BYTES));
}

function span(input: Buffer, random: Random): readonly [number, number] {
  const from = below(random, input.length + 1);
  return [from, Math.min(input.length, from + 1 + below(random, 40))];
}

/** A run of digits somewhere behind a random place; that place where there is none. */
function digits(input: Buffer, random: Random): readonly [number, number] {
  const start = below(random, input.length + 1);
  let from = start;
  while (from < input.length && !isDigit(input[from])) from++;
  let to = from;
  while (to < input.length && isDigit(input[to])) to++;
  return from === input.length ? [start, start] : [from, to];
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
