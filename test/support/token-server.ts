/**
 * A token server for docker-registry over TLS: gives ES256 tokens to who brings the right name and password, and counts.
 */
import { createPrivateKey, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestCertificate } from "./certificates.ts";

export const TOKEN_SERVICE = "test-service";
export const TOKEN_ISSUER = "test-issuer";

export class TokenServer implements AsyncDisposable {
  /** Scopes that were asked for, in order. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #certificate: TestCertificate;
  readonly #login: { readonly username: string; readonly password: string };

  private constructor(certificate: TestCertificate, login: { username: string; password: string }) {
    this.#certificate = certificate;
    this.#login = login;
    this.#server = createServer({ key: certificate.key, cert: certificate.cert }, (request, response) => this.#answer(request, response));
  }

  static async start(certificate: TestCertificate, login: { username: string; password: string }): Promise<TokenServer> {
    const server = new TokenServer(certificate, login);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get realm(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  /** A token for `repository:NAME:ACTION,ACTION`. */
  issue(scope: string): string {
    const [type, name, actions] = scope.split(":");
    const now = Math.floor(Date.now() / 1000);
    const der = this.#certificate.cert.replace(/-----[^-]+-----|\s/g, "");
    const access = name === undefined ? [] : [{ type, name, actions: actions.split(",") }];
    const times = { nbf: now - 5, iat: now, exp: now + 120 };
    const claims = { iss: TOKEN_ISSUER, aud: TOKEN_SERVICE, sub: this.#login.username, jti: randomUUID(), access, ...times };
    const signed = [{ typ: "JWT", alg: "ES256", x5c: [der] }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    const key = { key: createPrivateKey(this.#certificate.key), dsaEncoding: "ieee-p1363" } as const;
    return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { searchParams } = new URL(request.url ?? "/", this.realm);
    const scope = searchParams.get("scope") ?? "";
    this.asked.push(scope);
    const { username, password } = this.#login;
    const good = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    if (request.headers.authorization !== good) return void response.writeHead(401).end('{"details":"wrong login"}');
    // no expires_in: 60 s
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ token: this.issue(scope) }));
  }
}
