/**
 * Which request headers prove who the caller is, and a key that separates callers by them. Decides.
 */
import { hash } from "node:crypto";
import { isCredential } from "../origin/http-headers.ts";

/** Whether the request carries credentials: then what it gets is private. */
export function hasCredentials(request: { url: string; headers: Readonly<Record<string, string>> }): boolean {
  const { username, password } = new URL(request.url);
  return username !== "" || password !== "" || Object.keys(request.headers).some(isCredential);
}

/** Equal for callers that show the origin the same headers. */
export function callerKey(headers: Readonly<Record<string, string>>): string {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return hash("sha256", JSON.stringify(entries.sort()), "hex");
}
