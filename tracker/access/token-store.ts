/**
 * The tokens file as it is now: read again when it changed, written by `supernode token`. Drives files.
 *
 * Invariant: a file that became unreadable or malformed changes nothing: the last good list holds, and the log says so once for each change.
 */
import { randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { parseDocument } from "yaml";
import type { Clock } from "../../system/clock.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import { replaceFile } from "../../system/replace-file.ts";
import type { Scope } from "./scopes.ts";
import { hashToken, parseTokens, type TokenEntry, tokenText } from "./token-list.ts";

/** So long a change may go unnoticed. */
const CHECK_EVERY_MS = 1000;
const MOST_FILE_BYTES = 1024 * 1024;

export interface TokenStoreOptions {
  readonly path: string;
  /** Valid besides those of the file. */
  readonly fixed: readonly TokenEntry[];
  readonly clock: Clock;
  readonly logger: Logger;
}

export class TokenStore {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #fixed: readonly TokenEntry[];
  #entries: readonly TokenEntry[] = [];
  #version = "";
  #checkedMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  private constructor(options: TokenStoreOptions) {
    this.#fixed = options.fixed;
    this.#path = options.path;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** Rejects with SkimmerError `bad_request` for a file that cannot be read, other than one that is not there. */
  static async open(options: TokenStoreOptions): Promise<TokenStore> {
    const store = new TokenStore(options);
    store.#entries = [...options.fixed, ...(await readTokens(options.path))];
    store.#version = await versionOf(options.path);
    return store;
  }

  /** Of the file as it was at most CHECK_EVERY_MS ago. Never rejects. */
  async entries(): Promise<readonly TokenEntry[]> {
    if (this.#clock.nowMs() - this.#checkedMs < CHECK_EVERY_MS) return this.#entries;
    this.#reading ??= this.#refresh().finally(() => {
      this.#checkedMs = this.#clock.nowMs();
      this.#reading = undefined;
    });
    await this.#reading;
    return this.#entries;
  }

  async #refresh(): Promise<void> {
    const version = await versionOf(this.#path);
    if (version === this.#version) return;
    this.#version = version;
    try {
      this.#entries = [...this.#fixed, ...(await readTokens(this.#path))];
      this.#logger.info({ path: this.#path, tokens: this.#entries.length }, "tokens read again");
    } catch (error) {
      this.#logger.error({ path: this.#path, err: (error as Error).message }, "the changed tokens file cannot be used; the last one holds");
    }
  }
}

/** What differs when the file does; empty where there is none. */
async function versionOf(path: string): Promise<string> {
  return stat(path, { bigint: true }).then(
    ({ ino, size, mtimeNs }) => `${ino} ${size} ${mtimeNs}`,
    () => "",
  );
}

/** The file's entries; none where there is no file. Rejects with SkimmerError `bad_request`. */
export async function readTokens(path: string): Promise<TokenEntry[]> {
  return parseTokens((await readDocument(path)).toJS());
}

/** Adds a token and answers it: it is nowhere else. Rejects with SkimmerError `bad_request`. */
export async function addToken(
  path: string,
  entry: { readonly name: string; readonly scopes: readonly Scope[]; readonly expires?: string },
): Promise<string> {
  const document = await readDocument(path);
  if (parseTokens(document.toJS()).some(({ name }) => name === entry.name))
    throw new SkimmerError("bad_request", `there is a token "${entry.name}" in ${path} already`, {
      hint: "Choose another name, or remove that one: supernode token rm NAME",
    });
  const token = tokenText(randomBytes(32));
  const { name, scopes, expires } = entry;
  const row = { name, scopes, sha256: hashToken(token).toString("hex"), ...(expires !== undefined && { expires }) };
  if (document.has("tokens")) document.addIn(["tokens"], document.createNode(row));
  else document.set("tokens", document.createNode([row]));
  await replace(path, document.toString());
  return token;
}

/** Takes a token away; false where there is none of that name. Rejects with SkimmerError `bad_request`. */
export async function removeToken(path: string, name: string): Promise<boolean> {
  const document = await readDocument(path);
  const index = parseTokens(document.toJS()).findIndex((entry) => entry.name === name);
  if (index === -1) return false;
  document.deleteIn(["tokens", index]);
  await replace(path, document.toString());
  return true;
}

async function readDocument(path: string): Promise<ReturnType<typeof parseDocument>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return parseDocument("");
    throw new SkimmerError("bad_request", `cannot read the tokens in ${path}: ${(cause as Error).message}`, { cause });
  }
  const document = parseDocument(text.slice(0, MOST_FILE_BYTES));
  if (document.errors.length === 0 && text.length <= MOST_FILE_BYTES) return document;
  throw new SkimmerError("bad_request", `cannot read the tokens in ${path}: ${document.errors[0]?.message ?? "the file is too long"}`);
}

/** The new file is there whole or not at all. */
async function replace(path: string, text: string): Promise<void> {
  try {
    await replaceFile(path, text);
  } catch (cause) {
    throw new SkimmerError("bad_request", `cannot write the tokens to ${path}: ${(cause as Error).message}`, { cause });
  }
}
