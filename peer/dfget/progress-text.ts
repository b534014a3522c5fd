/**
 * What a person sees of a download: the progress line, the final line. Decides.
 */
import { formatBytes, formatDuration, formatRate } from "../../system/units.ts";
import type { DoneEvent, ProgressEvent } from "../daemon/daemon-api.ts";

const MIN_BAR = 10;
const MAX_BAR = 40;

const MAX_NAME = 28;

/** One line of at most `columns` characters; `name` in front where there are several. */
export function progressLine(progress: ProgressEvent, columns: number, name?: string): string {
  if (name === undefined) return unnamedLine(progress, columns);
  const room = Math.min(MAX_NAME, Math.floor(columns / 3));
  const label = name.length > room ? `${name.slice(0, Math.max(0, room - 1))}…` : name.padEnd(room);
  return `${label} ${unnamedLine(progress, Math.max(0, columns - room - 1))}`.slice(0, columns);
}

function unnamedLine(progress: ProgressEvent, columns: number): string {
  const { bytes, total, rate, peers, from } = progress;
  const facts = [formatRate(rate), ...remaining(progress), `${peers} ${peers === 1 ? "peer" : "peers"}`, ...share(from.peers, bytes)];
  if (total === null) return `${formatBytes(bytes)}  ${facts.join("  ")}`.slice(0, columns);
  const ratio = total === 0 ? 1 : Math.min(1, bytes / total);
  const words = `${String(Math.floor(ratio * 100)).padStart(3)} %  ${formatBytes(bytes)} of ${formatBytes(total)}  ${facts.join("  ")}`;
  const room = Math.min(MAX_BAR, columns - words.length - 3);
  return room < MIN_BAR ? words.slice(0, columns) : `[${bar(ratio, room)}] ${words}`;
}

function bar(ratio: number, length: number): string {
  const full = Math.floor(ratio * length);
  return full >= length ? "=".repeat(length) : `${"=".repeat(full)}>${" ".repeat(length - full - 1)}`;
}

function remaining({ bytes, total, rate }: ProgressEvent): string[] {
  return total === null || rate === 0 || bytes >= total ? [] : [`${formatDuration(((total - bytes) * 1000) / rate)} left`];
}

function share(fromPeers: number, bytes: number): string[] {
  return bytes === 0 ? [] : [`${Math.round((Math.min(fromPeers, bytes) * 100) / bytes)} % from peers`];
}

/** The last line: what, how fast, where from. */
export function doneLine(done: Omit<DoneEvent, "event">): string {
  const ms = done.seconds * 1000;
  const rate = done.seconds > 0 && done.bytes > 0 ? `, ${formatRate(done.bytes / done.seconds)}` : "";
  const sources = (["cache", "peers", "seeder", "origin"] as const)
    .filter((source) => done.from[source] > 0)
    .map((source) => `${source} ${formatBytes(done.from[source])}`);
  const from = sources.length === 0 ? "" : `; from ${sources.join(", ")}`;
  const reason = done.reason === undefined ? "" : ` (${done.reason})`;
  return printable(`${done.output ?? "stored"}: ${formatBytes(done.bytes)} in ${formatDuration(ms)}${rate}${from}${reason}`);
}

/** Without control characters: names and messages come from strangers, and the terminal obeys them. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "?");
}
