/**
 * Reading of the fields of `--mirror-config`'s YAML file. Decides; every complaint names the place.
 */
import { SkimmerError } from "../system/errors.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** A regular expression of the configuration. Throws SkimmerError `bad_request`. */
export function readPattern(source: string, where: string): RegExp {
  try {
    return new RegExp(source);
  } catch (cause) {
    throw new SkimmerError("bad_request", `${where}: "${source}" is no regular expression: ${(cause as Error).message}`, { cause });
  }
}

/** A mapping of the file. Throws SkimmerError `bad_request`. */
export function mapping(value: unknown, where: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw badConfig(`${where} must hold a mapping`, "See docs/mirror.md.");
}

/** Throws SkimmerError `bad_request` for a key that is not known. */
export function checkKeys(fields: Fields, known: readonly string[], where: string): void {
  const unknown = Object.keys(fields).find((key) => !known.includes(key));
  if (unknown !== undefined) throw badConfig(`${where} has the unknown key "${unknown}"`, `One of ${known.join(", ")}.`);
}

/** A list, empty where absent. */
export function list(value: unknown, where: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw badConfig(`${where} must be a list`, "See docs/mirror.md.");
}

/** A text, where there is one. */
export function text(value: unknown, where: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && value !== "") return value;
  throw badConfig(`${where} must be a text`, "Put it into quotes.");
}

/** True or false. */
export function flag(value: unknown, where: string, absent: boolean): boolean {
  if (value === undefined || value === null) return absent;
  if (typeof value === "boolean") return value;
  throw badConfig(`${where} must be true or false`, "See docs/mirror.md.");
}

/** What is wrong with the file, and what to write. */
export function badConfig(message: string, hint: string): SkimmerError {
  return new SkimmerError("bad_request", `the mirror's configuration: ${message}`, { hint });
}
