/**
 * Amounts as people write them: bytes, rates, durations. Decides.
 * k, M, G, T (with or without B) are powers of 1000; KiB, MiB … powers of 1024; kbit, Mbit … bits.
 */
import { SkimmerError } from "./errors.ts";

const PREFIXES = ["", "k", "m", "g", "t"];
const AMOUNT = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?))?(b|bit|bps|)(?:\/s)?$/i;

/** Bytes: `1000`, `64MiB`, `20M`, `20MB`, `160Mbit`. Throws SkimmerError `bad_request`. */
export function parseBytes(text: string): number {
  const match = AMOUNT.exec(text.trim());
  if (match === null) {
    throw new SkimmerError("bad_request", `cannot read the amount "${text}"`, {
      hint: "Write it as 500000, 20M, 20MB, 20MiB or 160Mbit (0 is unlimited for rates).",
    });
  }
  const [, number, prefix = "", binary = "", unit] = match;
  const factor = (binary === "" ? 1000 : 1024) ** PREFIXES.indexOf(prefix.toLowerCase());
  const bits = unit.toLowerCase() === "bit" || unit.toLowerCase() === "bps";
  const exact = (Number(number) * factor) / (bits ? 8 : 1);
  // never down to 0, which would mean unlimited
  const bytes = exact > 0 ? Math.max(1, Math.round(exact)) : 0;
  if (!Number.isSafeInteger(bytes)) throw new SkimmerError("bad_request", `the amount "${text}" is too large`);
  return bytes;
}

/** Bytes per second; the same forms, with or without `/s`. 0 is unlimited. */
export function parseRate(text: string): number {
  return parseBytes(text);
}

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|)$/;
/** A longer one would overflow Node's timers, which then fire at once. */
const MOST_MS = 2 ** 31 - 1;
const UNIT_MS: Record<string, number> = { ms: 1, "": 1000, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds: `90` and `90s` are seconds; also `500ms`, `5m`, `1h`, `2d`. Throws SkimmerError `bad_request`. */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text.trim());
  if (match === null)
    throw new SkimmerError("bad_request", `cannot read the duration "${text}"`, { hint: "Write it as 90, 90s, 500ms, 5m or 1h." });
  const ms = Number(match[1]) * UNIT_MS[match[2]];
  if (ms > MOST_MS) throw new SkimmerError("bad_request", `the duration "${text}" is too long`, { hint: "At most 24d." });
  return ms;
}

/** For people: `1.5 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let at = 0;
  while (value >= 999.5 && at < PREFIXES.length - 1) {
    value /= 1000;
    at++;
  }
  const digits = at === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${PREFIXES[at].toUpperCase().replace("K", "k")}B`;
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** For people: `850 ms`, `12.3 s`, `4 m 05 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} m ${String(Math.floor((ms % 60_000) / 1000)).padStart(2, "0")} s`;
}
