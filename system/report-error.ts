/**
 * How a failure reaches a person: one sentence with its cause, a hint, and the exit code.
 */
import { toSkimmerError } from "./errors.ts";
import { EXIT_CODES } from "./exit-codes.ts";

/** Prints to standard error (or one JSON line to standard output) and answers the exit code. */
export function reportError(thrown: unknown, options: { command: string; json?: boolean }): number {
  const error = toSkimmerError(thrown);
  if (options.json === true) {
    process.stdout.write(
      `${JSON.stringify({ event: "error", status: "error", code: error.code, message: error.message, hint: error.hint })}\n`,
    );
  } else {
    process.stderr.write(`${options.command}: ${error.message}\n`);
    if (error.hint !== undefined) process.stderr.write(`${error.hint}\n`);
  }
  return EXIT_CODES[error.code];
}
