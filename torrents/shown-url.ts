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
  "x-obs-signature",
  "q-signature",
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

/** What goes along with a signature: when it was made, until when and for what it is good. Nobody else's business, and different each time. */
const COMPANION_FAMILIES = /^x-(amz|goog|oss|obs|cos)-/;
const COMPANIONS = new Set([
  "expires",
  "q-sign-algorithm",
  "q-ak",
  "q-sign-time",
  "q-key-time",
  "q-header-list",
  "q-url-param-list",
  // a shared access signature of Azure
  ...["sv", "ss", "srt", "sr", "sp", "st", "se", "spr", "sip", "si", "skoid", "sktid", "skt", "ske", "sks", "skv"],
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

/** The URL without its credentials, what is signed with them, and without fragment; what cannot be read as a URL is not shown. */
export function shownUrl(text: string): string {
  if (!URL.canParse(text)) return "(malformed URL)";
  const url = new URL(text);
  url.username = "";
  url.password = "";
  url.hash = "";
  const names = [...url.searchParams.keys()];
  // deleting rewrites the whole query: leave it as it was where nothing is secret
  if (names.some(isSecretParameter))
    for (const name of names.filter((each) => isSecretParameter(each) || isCompanion(each))) url.searchParams.delete(name);
  return url.href;
}

/**
 * The URL without credentials and without what its query says: for who may know that somebody has it, and no more. Values are left out, and
 * words that stand alone; of a magnet link there remain its hashes.
 */
export function bareUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null) return "(malformed URL)";
  const words = [...url.searchParams].map(([name, value]) => {
    if (url.protocol === "magnet:" && name === "xt") return `${name}=${value}`;
    return value === "" ? "…" : `${encodeURIComponent(name)}=…`;
  });
  url.username = "";
  url.password = "";
  url.hash = "";
  url.search = "";
  return words.length === 0 ? url.href : `${url.href}?${words.join("&")}`;
}

function isCompanion(name: string): boolean {
  const lower = name.toLowerCase();
  return COMPANION_FAMILIES.test(lower) || COMPANIONS.has(lower);
}

/** A message with the credentials of each URL in it left out. */
export function shownText(text: string): string {
  return text.replace(/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, (found) => shownUrl(found));
}
