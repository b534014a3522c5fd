/**
 * Who we are at a registry: name and password, or an identity token (OAuth2 refresh token). Decides.
 */
import { hash } from "node:crypto";

export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  | { readonly kind: "identity"; readonly username: string; readonly token: string };

/** The `Authorization` of name and password; an identity token goes as the password. */
export function basicAuthorization(credentials: Credentials): string {
  const secret = credentials.kind === "password" ? credentials.password : credentials.token;
  return `Basic ${Buffer.from(`${credentials.username}:${secret}`).toString("base64")}`;
}

/** Name and password of a `Basic` authorization; undefined where it is none. */
export function parseBasic(authorization: string): Credentials | undefined {
  const match = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(authorization.trim());
  const text = match === null ? "" : Buffer.from(match[1], "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : { kind: "password", username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Tells credentials apart without holding the secret. */
export function credentialsKey(credentials: Credentials | undefined): string {
  return credentials === undefined ? "" : hash("sha256", JSON.stringify([credentials.kind, basicAuthorization(credentials)]), "hex");
}
