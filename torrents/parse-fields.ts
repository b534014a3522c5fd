/**
 * Typed access to fields of parsed JSON that a stranger wrote. Decides.
 */
import { type ErrorCode, SkimmerError } from "../system/errors.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Readers whose failures carry the given code and name of the whole. */
export function fieldReader(code: ErrorCode, what: string) {
  const fail = (field: string, wanted: string): never => {
    throw new SkimmerError(code, `${what}: ${field} must be ${wanted}`);
  };
  return {
    fail,
    object(value: unknown, field: string): JsonObject {
      return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : fail(field, "an object");
    },
    text(value: unknown, field: string, mostLength: number): string {
      return typeof value === "string" && value.length <= mostLength ? value : fail(field, `a text of at most ${mostLength} characters`);
    },
    optionalText(value: unknown, field: string, mostLength: number): string | undefined {
      return value === undefined || value === null ? undefined : this.text(value, field, mostLength);
    },
    integer(value: unknown, field: string, range: { least: number; most: number }): number {
      const good = typeof value === "number" && Number.isSafeInteger(value) && value >= range.least && value <= range.most;
      return good ? value : fail(field, `a whole number from ${range.least} to ${range.most}`);
    },
    list(value: unknown, field: string, most: number): readonly unknown[] {
      return Array.isArray(value) && value.length <= most ? value : fail(field, `a list of at most ${most}`);
    },
    flag(value: unknown): boolean {
      return value === true;
    },
  };
}
