/**
 * Secrets inside URLs: which query parameters prove who the caller is, and what of a URL may be shown to others. Decides.
 */

/** Lower case. Signatures and tokens of S3, GCS, Azure, OSS, OBS, CloudFront and of the usual home-grown schemes. */
const SECRET_PARAMETERS = new Set([
  "x-amz-signature",
  "x-amz-credential",
  "x-amz-security-token",
  "x-goog-signature",
  "x-goog-credential",
  "x-oss-signature",
  "x-oss-security-token",
  "signature",
  "security-token",
  "awsaccesskeyid",
  "ossaccesskeyid",
  "googleaccessid",
  "key-pair-id",
  "policy",
  "sig",
  "sign",
  "hmac",
  "token",
  "access_token",
  "auth_token",
  "authtoken",
  "id_token",
  "private_token",
  "job_token",
  "auth",
  "auth_key",
  "api_key",
  "apikey",
  "access_key",
  "secret",
  "password",
  "jwt",
  "delegation",
]);

/** Whether the query parameter is a credential. */
function isSecretParameter(name: string): boolean {
  return SECRET_PARAMETERS.has(name.toLowerCase());
}

/** Whether the URL itself carries credentials: user information, or a signature or token in its query. */
export function hasUrlSecrets(text: string): boolean {
  const { username, password, searchParams } = new URL(text);
  return username !== "" || password !== "" || [...searchParams.keys()].some(isSecretParameter);
}

/** The URL without its credentials and without fragment; what cannot be read as a URL is not shown. */
export function shownUrl(text: string): string {
  if (!URL.canParse(text)) return "(malformed URL)";
  const url = new URL(text);
  url.username = "";
  url.password = "";
  url.hash = "";
  // deleting rewrites the whole query: leave it as it was where nothing is secret
  for (const name of [...url.searchParams.keys()].filter(isSecretParameter)) url.searchParams.delete(name);
  return url.href;
}

/** A message with the credentials of each URL in it left out. */
export function shownText(text: string): string {
  return text.replace(/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, (found) => shownUrl(found));
}
