/**
 * A certificate for 127.0.0.1 signed by an authority of its own, made by openssl in a temporary folder.
 */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { temporaryFolder } from "./folders.ts";

export interface TestCertificate extends AsyncDisposable {
  readonly key: string;
  readonly cert: string;
  /** PEM file of the authority. */
  readonly caFile: string;
}

export async function makeCertificate(): Promise<TestCertificate> {
  const folder = await temporaryFolder();
  const at = (name: string): string => join(folder.path, name);
  const openssl = (...args: string[]): Promise<unknown> => promisify(execFile)("openssl", args, { cwd: folder.path, timeout: 20_000 });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority");
  await openssl("req", "-new", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=test origin");
  await writeFile(at("names.ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  const signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names.ext"];
  await openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", ...signer);
  return {
    key: await readFile(at("server.key"), "utf8"),
    cert: await readFile(at("server.pem"), "utf8"),
    caFile: at("ca.pem"),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
