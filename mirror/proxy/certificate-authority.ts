/**
 * The proxy's own certificate authority: made once by `dfdaemon ca init`, and certificates for hosts made on demand. Drives
 * files and keys. The authority's key never leaves its file, which only its user may read.
 */
import "reflect-metadata";
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, webcrypto } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { dirname } from "node:path";
import { createSecureContext, type SecureContext } from "node:tls";
import * as x509 from "@peculiar/x509";
import { SkimmerError } from "../../system/errors.ts";

export interface AuthorityPaths {
  readonly certificate: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
/** Browsers refuse more than 398 days; an engine's pull takes minutes. */
const LEAF_DAYS = 30;
const RENEW_DAYS = 2;
const MOST_LEAVES = 1000;
const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING = { ...CURVE, hash: "SHA-256" };

/** Makes an authority. Rejects with SkimmerError `output_unwritable` where there is one already, or the folder cannot be written. */
export async function initAuthority(paths: AuthorityPaths, options: { replace: boolean; nowMs: number }): Promise<x509.X509Certificate> {
  const keys = await webcrypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: `CN=Skimmer proxy authority ${randomBytes(4).toString("hex")}, O=Skimmer`,
    notBefore: new Date(options.nowMs - DAY_MS),
    notAfter: new Date(options.nowMs + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const pem = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }).export({ type: "pkcs8", format: "pem" });
  const flag = options.replace ? "w" : "wx";
  try {
    await mkdir(dirname(paths.key), { recursive: true, mode: 0o700 });
    await writeFile(paths.key, pem, { mode: 0o600, flag });
    await writeFile(paths.certificate, `${certificate.toString("pem")}\n`, { mode: 0o644, flag });
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new SkimmerError("output_unwritable", `cannot write ${paths.key}: ${(cause as Error).message}`, {
      hint: exists ? "There is an authority already; give --force for a new one, which everybody has to trust anew." : undefined,
      cause,
    });
  }
  return certificate;
}

interface Leaf {
  readonly context: SecureContext;
  readonly renewAtMs: number;
}

/** Makes certificates for hosts. */
export class CertificateAuthority {
  readonly #certificate: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;
  readonly #epochMs: () => number;
  /** One key for all hosts: making keys is what costs. */
  readonly #leafKey: KeyObject;
  readonly #leafPublic: webcrypto.CryptoKey;
  /** In the order of last use. */
  readonly #leaves = new Map<string, Promise<Leaf>>();

  private constructor(parts: {
    certificate: x509.X509Certificate;
    key: webcrypto.CryptoKey;
    leafKey: KeyObject;
    leafPublic: webcrypto.CryptoKey;
    epochMs: () => number;
  }) {
    this.#certificate = parts.certificate;
    this.#key = parts.key;
    this.#leafKey = parts.leafKey;
    this.#leafPublic = parts.leafPublic;
    this.#epochMs = parts.epochMs;
  }

  /** Rejects with SkimmerError `bad_request` where there is none, or it cannot be read. */
  static async open(paths: AuthorityPaths, epochMs: () => number): Promise<CertificateAuthority> {
    try {
      const certificate = new x509.X509Certificate(await readFile(paths.certificate, "utf8"));
      const der = createPrivateKey(await readFile(paths.key, "utf8")).export({ type: "pkcs8", format: "der" });
      const key = await webcrypto.subtle.importKey("pkcs8", der, CURVE, false, ["sign"]);
      const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const spki = pair.publicKey.export({ type: "spki", format: "der" });
      const leafPublic = await webcrypto.subtle.importKey("spki", spki, CURVE, true, ["verify"]);
      return new CertificateAuthority({ certificate, key, leafKey: pair.privateKey, leafPublic, epochMs });
    } catch (cause) {
      throw new SkimmerError(
        "bad_request",
        `cannot use the proxy's certificate authority ${paths.certificate}: ${(cause as Error).message}`,
        {
          hint: "Make one with dfdaemon ca init, and have the engines trust it.",
          cause,
        },
      );
    }
  }

  /** What a TLS server for this host shows. */
  async contextFor(host: string): Promise<SecureContext> {
    const nowMs = this.#epochMs();
    const name = host.toLowerCase();
    const known = await this.#leaves.get(name)?.catch(() => undefined);
    if (known !== undefined && nowMs < known.renewAtMs) return known.context;
    const made = this.#issue(name, nowMs);
    this.#leaves.delete(name);
    this.#leaves.set(name, made);
    if (this.#leaves.size > MOST_LEAVES) this.#leaves.delete(this.#leaves.keys().next().value as string);
    return (await made).context;
  }

  async #issue(host: string, nowMs: number): Promise<Leaf> {
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: randomSerial(),
      subject: [{ CN: [host.slice(0, 64)] }],
      issuer: this.#certificate.subject,
      notBefore: new Date(nowMs - DAY_MS),
      notAfter: new Date(nowMs + LEAF_DAYS * DAY_MS),
      signingAlgorithm: SIGNING,
      publicKey: this.#leafPublic,
      signingKey: this.#key,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: isIP(host) === 0 ? "dns" : "ip", value: host }]),
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
      ],
    });
    const key = this.#leafKey.export({ type: "pkcs8", format: "pem" }) as string;
    const cert = `${certificate.toString("pem")}\n${this.#certificate.toString("pem")}\n`;
    return { context: createSecureContext({ key, cert }), renewAtMs: nowMs + (LEAF_DAYS - RENEW_DAYS) * DAY_MS };
  }
}

/** 16 bytes, positive. */
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] & 0x7f) | 0x01;
  return bytes.toString("hex");
}
