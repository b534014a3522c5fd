/**
 * Opens what decides on access from the supernode's options: tokens file, limits, audit log. Drives files.
 *
 * Where callers of other hosts need tokens and nobody made any, one with the scope `download` is made for them, and kept in `hosts.token` in
 * the data folder for copying to the hosts: a swarm takes one option on each of them.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../system/clock.ts";
import type { Logger } from "../../system/logger.ts";
import { AccessGuard } from "./access-guard.ts";
import { AuditLog } from "./audit-log.ts";
import { type AccessMode, isLoopback } from "./identify.ts";
import { RequestLimits } from "./request-limits.ts";
import { hashToken, type TokenEntry, tokenText } from "./token-list.ts";
import { addToken, TokenStore } from "./token-store.ts";

/** Requests a second of one address, unless told otherwise. */
export const DEFAULT_REQUEST_LIMIT = 500;

export interface AccessOptions {
  /** Absent: `local`. */
  readonly mode?: AccessMode;
  /** Tokens file; absent: tokens.yaml in the data folder. */
  readonly tokens?: string;
  /** Requests a second of one address, and of one token at one address; 0 is unlimited. */
  readonly requestLimit?: number;
  /** Absent: audit.jsonl in the data folder; false: none. */
  readonly auditLog?: string | false;
}

export interface OpenAccess {
  readonly guard: AccessGuard;
  readonly audit: AuditLog;
  /** Where the token for other hosts is; undefined: none was made. */
  readonly hostsToken: string | undefined;
  /** Of the supernode's own seeder: in no file, and new at each start. */
  readonly seederToken: string;
}

/** Where the tokens are. */
export function tokensPath(data: string, given: string | undefined): string {
  return given ?? join(data, "tokens.yaml");
}

/** Rejects with SkimmerError `bad_request` for a tokens file that cannot be read. */
export async function openAccess(
  options: AccessOptions,
  place: {
    readonly data: string;
    readonly listenHost: string;
    readonly advertise: string | undefined;
    readonly webhookSecret: boolean;
    readonly clock: Clock;
    readonly logger: Logger;
  },
): Promise<OpenAccess> {
  const { clock, logger, data, listenHost, advertise, webhookSecret } = place;
  const { mode = "local", auditLog = join(data, "audit.jsonl") } = options;
  const path = tokensPath(data, options.tokens);
  const others = mode === "token" || (mode === "local" && !isLoopback(listenHost) && listenHost !== "localhost");
  const hostsToken = others && options.tokens === undefined ? await makeHostsToken(data, path) : undefined;
  const seederToken = tokenText(randomBytes(32));
  const audit = new AuditLog({ path: auditLog === false ? undefined : auditLog, logger });
  const guard = new AccessGuard({
    mode,
    tokens: await TokenStore.open({ path, fixed: [fixedEntry(seederToken)], clock, logger }),
    ownNames: [hostname(), advertise ?? ""].filter((name) => name !== "").map((name) => name.toLowerCase()),
    limits: new RequestLimits(options.requestLimit ?? DEFAULT_REQUEST_LIMIT),
    audit,
    clock,
    webhookSecret,
  });
  return { guard, audit, hostsToken, seederToken };
}

function fixedEntry(token: string): TokenEntry {
  return { name: "own-seeder", scopes: ["admin"], sha256: hashToken(token), expiresMs: undefined };
}

/** Made once: who removes it from the tokens file, or the file with it, does not get it again. */
async function makeHostsToken(data: string, path: string): Promise<string | undefined> {
  const file = join(data, "hosts.token");
  if (existsSync(path)) return existsSync(file) ? file : undefined;
  const token = await addToken(path, { name: "hosts", scopes: ["download"] });
  await writeFile(file, `${token}\n`, { mode: 0o600 });
  return file;
}
