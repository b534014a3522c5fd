/**
 * Whom a request trusts at its origin, as strangers write it: certificates in PEM, few and readable. Decides.
 */
import { fieldReader } from "./parse-fields.ts";
import type { OriginTls } from "./task-api.ts";

const MOST_LENGTH = 64 * 1024;
/** Authorities of one's own, not a bundle of all. */
const MOST_CERTIFICATES = 20;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
const read = fieldReader("bad_request", "tls");

/** undefined where nobody is trusted besides the usual. Throws SkimmerError `bad_request`. */
export function parseOriginTls(value: unknown): OriginTls | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = read.object(value, "tls");
  const text = read.optionalText(fields.ca, "ca", MOST_LENGTH);
  const insecure = read.flag(fields.insecure);
  if (text === undefined) return insecure ? { insecure } : undefined;
  const certificates = text.match(CERTIFICATE) ?? [];
  if (certificates.length === 0 || certificates.length > MOST_CERTIFICATES || !certificates.every(isCertificate))
    read.fail("ca", `1 to ${MOST_CERTIFICATES} certificates in PEM`);
  // without comments and keys: equal trust is equal text
  return { ca: certificates.join("\n"), ...(insecure && { insecure }) };
}

function isCertificate(pem: string): boolean {
  // loaded where there is one to read: it would be a tenth of the start-up of dfget, which reads requests too
  const { X509Certificate } = process.getBuiltinModule("node:crypto");
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
