/**
 * Structured logs to standard error: a constant message and fields. Secrets in headers never get out.
 */
import { pino } from "pino";
import { SkimmerError } from "./errors.ts";

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;

/** A pino logger that writes JSON lines to standard error. Throws SkimmerError `bad_request` for an unknown level. */
export function makeLogger(options: { name: string; level: string }): Logger {
  const levels: readonly string[] = LOG_LEVELS;
  if (!levels.includes(options.level)) {
    throw new SkimmerError("bad_request", `--log-level: "${options.level}" is not a log level`, { hint: `One of ${levels.join(", ")}.` });
  }
  return pino(
    {
      name: options.name,
      level: options.level,
      redact: ["headers.authorization", "headers.cookie", "request.headers.authorization", "request.headers.cookie"],
    },
    pino.destination({ dest: 2, sync: false }),
  );
}

/** @internal Says nothing; for tests. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
