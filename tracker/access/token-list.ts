/**
 * API tokens and the file that lists them: by hash, so that who reads the file cannot call as one of them. Decides.
 *
 * A token is 32 random bytes behind `skm_`: a plain SHA-256 is enough where nobody can guess. Invariant: looking one up takes the same time
 * whichever token of the list it is, and whether it is one.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { fieldReader } from "../../torrents/parse-fields.ts";
import { SCOPES, type Scope } from "./scopes.ts";

/** More in one file are refused. */
const MOST_TOKENS = 1000;
/** No header that is longer is looked at. */
const MOST_TOKEN_LENGTH = 200;
const TOKEN_BYTES = 32;
const HASH_BYTES = 32;

export interface TokenEntry {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly sha256: Buffer;
  /** Since 1970; undefined: never. */
  readonly expiresMs: number | undefined;
}

const read = fieldReader("bad_request", "tokens file");

/** The file's entries, as YAML or JSON gave them. Throws SkimmerError `bad_request`. */
export function parseTokens(value: unknown): TokenEntry[] {
  const rows = read.list(read.object(value ?? { tokens: [] }, "file").tokens ?? [], "tokens", MOST_TOKENS);
  const entries = rows.map((row, index) => parseEntry(row, `tokens[${index}]`));
  const names = new Set(entries.map(({ name }) => name));
  return names.size === entries.length ? entries : read.fail("tokens", "a list in which each name is there once");
}

function parseEntry(value: unknown, field: string): TokenEntry {
  const { name, scopes, sha256, expires } = read.object(value, field);
  const hash = Buffer.from(read.text(sha256, `${field}.sha256`, 2 * HASH_BYTES), "hex");
  return {
    name: checkName(read.text(name, `${field}.name`, 80), `${field}.name`),
    scopes: read.list(scopes, `${field}.scopes`, SCOPES.length).map((scope) => parseScope(scope, `${field}.scopes`)),
    sha256: hash.length === HASH_BYTES ? hash : read.fail(`${field}.sha256`, "64 hex digits"),
    expiresMs: expires === undefined || expires === null ? undefined : parseTime(expires, `${field}.expires`),
  };
}

/** A name as it stands in the audit log and in lists. */
export function checkName(name: string, field: string): string {
  return /^[\w.@-]{1,80}$/.test(name) ? name : read.fail(field, "letters, digits and . _ @ - only");
}

function parseScope(value: unknown, field: string): Scope {
  return SCOPES.find((scope) => scope === value) ?? read.fail(field, `some of ${SCOPES.join(", ")}`);
}

/** YAML reads a time as a Date where it is asked to, else as text. */
function parseTime(value: unknown, field: string): number {
  const ms = value instanceof Date ? value.getTime() : Date.parse(String(value));
  return Number.isNaN(ms) ? read.fail(field, "a time such as 2027-01-31T00:00:00Z") : ms;
}

/** A new token, from 32 random bytes. */
export function tokenText(random: Buffer): string {
  return `skm_${random.subarray(0, TOKEN_BYTES).toString("base64url")}`;
}

export function hashToken(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** The entry of a token that has not expired. */
export function findToken(entries: readonly TokenEntry[], token: string, wallMs: number): TokenEntry | undefined {
  if (token === "" || token.length > MOST_TOKEN_LENGTH) return undefined;
  const hash = hashToken(token);
  let found: TokenEntry | undefined;
  // to the end, whether it was found or not
  for (const entry of entries) if (timingSafeEqual(entry.sha256, hash)) found = entry;
  return found?.expiresMs !== undefined && found.expiresMs <= wallMs ? undefined : found;
}

/** The token of an Authorization: `Bearer TOKEN`, or `Basic` with any name and the token as password, as browsers and Harbor send it. */
export function tokenOf(authorization: string | undefined): string | undefined {
  const [scheme, value = ""] = (authorization ?? "").split(/ +/, 2);
  if (/^bearer$/i.test(scheme)) return value;
  if (!/^basic$/i.test(scheme)) return undefined;
  const pair = Buffer.from(value, "base64").toString("utf8");
  return pair.slice(pair.indexOf(":") + 1);
}
