/** The secret behind what announce URLs hold: passkeys and claimed addresses. Reads or makes its file. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";

const SECRET_BYTES = 32;

/** The secret in that file, made where there is none. */
export async function openAnnounceSecret(path: string): Promise<Buffer> {
  await writeFile(path, randomBytes(SECRET_BYTES), { flag: "wx", mode: 0o600 }).catch(() => undefined);
  return readFile(path);
}
