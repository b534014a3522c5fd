/**
 * An HTTP proxy on loopback: forwards plain requests, tunnels CONNECT, and notes both. With `authorization` it wants that
 * Proxy-Authorization.
 */
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";

export class ProxyServer implements AsyncDisposable {
  /** `GET http://…` and `CONNECT host:port`. */
  readonly requests: string[] = [];
  readonly #authorization: string | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  private constructor(authorization: string | undefined) {
    this.#authorization = authorization;
    this.#server = createServer((request, response) => this.#forward(request, response));
    this.#server.on("connect", (request: IncomingMessage, socket: Duplex) => this.#tunnel(request, socket));
    this.#server.on("connection", (socket: Socket) => this.#keep(socket));
  }

  static async start(authorization?: string): Promise<ProxyServer> {
    const proxy = new ProxyServer(authorization);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${request.method} ${request.url}`);
    if (!this.#mayPass(request)) return void response.writeHead(407, { "proxy-authenticate": "Basic" }).end();
    const { "proxy-authorization": _, ...headers } = request.headers;
    const onward = httpRequest(request.url ?? "", { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  }

  #tunnel(request: IncomingMessage, socket: Duplex): void {
    this.requests.push(`CONNECT ${request.url}`);
    if (!this.#mayPass(request)) return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    const { hostname, port } = new URL(`http://${request.url}`);
    const onward = connect(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      socket.pipe(onward).pipe(socket);
    });
    this.#keep(onward);
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  }

  #mayPass(request: IncomingMessage): boolean {
    return this.#authorization === undefined || request.headers["proxy-authorization"] === this.#authorization;
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => undefined);
  }
}
