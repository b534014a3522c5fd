/**
 * What `--encryption` means for each connection. Decides.
 *
 * The default dials plain first: our own peers and all clients in their default settings take it, it costs nothing, and pieces are
 * checked by hash anyway. A peer that hangs up on a plain handshake is dialled again at once, encrypted. Accepted is both.
 */
import { SkimmerError } from "../../../system/errors.ts";
import type { OptionSpec } from "../../../system/options.ts";
import { CRYPTO } from "./mse-keys.ts";

const ENCRYPTION_POLICIES = ["off", "allow", "prefer", "require"] as const;
export type EncryptionPolicy = (typeof ENCRYPTION_POLICIES)[number];
/** How a peer is dialled. */
export type DialMode = "plain" | "encrypted";

const ORDER: Readonly<Record<EncryptionPolicy, readonly DialMode[]>> = {
  off: ["plain"],
  allow: ["plain", "encrypted"],
  prefer: ["encrypted", "plain"],
  require: ["encrypted"],
};

/** The option of every command that has a peer port. */
export const ENCRYPTION_OPTION: OptionSpec = {
  flags: "--encryption <POLICY>",
  help: "BitTorrent's message stream encryption: off, allow (where a peer insists), prefer or require",
  default: "allow",
  parse: parseEncryption,
};

/** Reads the option's value. Throws SkimmerError `bad_request`. */
function parseEncryption(text: string): EncryptionPolicy {
  const policy = ENCRYPTION_POLICIES.find((known) => known === text);
  if (policy === undefined) throw new SkimmerError("bad_request", `"${text}" is none of ${ENCRYPTION_POLICIES.join(", ")}`);
  return policy;
}

/** The ways to dial a peer, one after the other; `worked` is how it answered last time. */
export function dialOrder(policy: EncryptionPolicy, worked: DialMode | undefined): readonly DialMode[] {
  const order = ORDER[policy];
  return worked === undefined || !order.includes(worked) ? order : [worked, ...order.filter((mode) => mode !== worked)];
}

/** Whether an incoming connection may go without. */
export function acceptsPlain(policy: EncryptionPolicy): boolean {
  return policy !== "require";
}

/** `crypto_provide` of a dialled connection: who requires encryption does not want it for the handshake alone. */
export function offeredCrypto(policy: EncryptionPolicy): number {
  return policy === "require" ? CRYPTO.rc4 : CRYPTO.rc4 | CRYPTO.plaintext;
}

/** `crypto_select` for what the dialling side offers; 0: nothing that we take. Plain text is the faster one. */
export function selectCrypto(policy: EncryptionPolicy, offered: number): number {
  const wanted = policy === "allow" ? [CRYPTO.plaintext, CRYPTO.rc4] : [CRYPTO.rc4, CRYPTO.plaintext];
  const allowed = offeredCrypto(policy) & offered;
  return wanted.find((method) => (allowed & method) !== 0) ?? 0;
}
