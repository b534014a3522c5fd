/**
 * HDFS as WebHDFS shows it (Hadoop 3.4, "WebHDFS REST API"): a name node that answers GETFILESTATUS and LISTSTATUS and
 * redirects OPEN to a data node on another port, which sends the bytes and closes. Errors are RemoteExceptions.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HdfsFile {
  content: Buffer;
  modifiedMs: number;
  fileId: number;
  /** Only this user.name may read it. */
  owner?: string;
}

export class WebHdfsServer implements AsyncDisposable {
  /** By absolute path; folders are those that files are in. */
  readonly files = new Map<string, HdfsFile>();
  /** `OP path?query` in the order of arrival; `DATA` for the data node. */
  readonly requests: string[] = [];
  /** Called when the data node has opened a file, before it sends. */
  onOpen: (path: string) => void = () => undefined;
  /** The data node breaks off after so many bytes, once. */
  breakAfterBytes: number | undefined;
  readonly #nameNode: Server;
  readonly #dataNode: Server;

  private constructor() {
    this.#nameNode = createServer((request, response) => this.#answerName(request, response));
    this.#dataNode = createServer((request, response) => this.#answerData(request, response));
  }

  static async start(): Promise<WebHdfsServer> {
    const made = new WebHdfsServer();
    for (const server of [made.#nameNode, made.#dataNode]) {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    }
    return made;
  }

  /** `hdfs://HOST:PORT`, without a slash at its end. */
  get url(): string {
    return `hdfs://127.0.0.1:${portOf(this.#nameNode)}`;
  }

  add(path: string, content: Buffer, owner?: string): string {
    this.files.set(path, { content, modifiedMs: 1_700_000_000_123, fileId: 16_400 + this.files.size, owner });
    return this.url + path.split("/").map(encodeURIComponent).join("/");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#nameNode, this.#dataNode]) {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    }
  }

  #answerName(request: IncomingMessage, response: ServerResponse): void {
    const { path, query } = readUrl(request);
    const op = query.get("op") ?? "";
    this.requests.push(`${op} ${path}${query.has("user.name") ? ` as ${query.get("user.name")}` : ""}`);
    const file = this.files.get(path);
    const children = this.#children(path);
    if (file === undefined && children.length === 0) return fail(response, 404, "FileNotFoundException", `File does not exist: ${path}`);
    if (file?.owner !== undefined && query.get("user.name") !== file.owner)
      return fail(response, 403, "AccessControlException", "Permission denied");
    if (op === "GETFILESTATUS") return sendJson(response, { FileStatus: statusOf("", file) });
    if (op === "LISTSTATUS")
      return sendJson(response, { FileStatuses: { FileStatus: file === undefined ? children : [statusOf("", file)] } });
    if (op !== "OPEN" || file === undefined) return fail(response, 400, "IllegalArgumentException", `Invalid value for op: ${op}`);
    const location = new URL(request.url ?? "/", `http://127.0.0.1:${portOf(this.#dataNode)}`);
    location.searchParams.set("namenoderpcaddress", "127.0.0.1:8020");
    response.writeHead(307, { location: location.href, "content-length": "0" }).end();
  }

  #answerData(request: IncomingMessage, response: ServerResponse): void {
    const { path, query } = readUrl(request);
    const offset = Number(query.get("offset") ?? 0);
    this.requests.push(`DATA ${path} ${offset}+${query.get("length") ?? ""}`);
    const content = this.files.get(path)?.content;
    if (content === undefined) return fail(response, 404, "FileNotFoundException", `File does not exist: ${path}`);
    if (offset > content.length) return fail(response, 403, "IOException", `Offset=${offset} out of the range`);
    this.onOpen(path);
    const part = content.subarray(offset, offset + Number(query.get("length") ?? content.length));
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": part.length, connection: "close" });
    if (this.breakAfterBytes === undefined) return void response.end(part);
    response.write(part.subarray(0, this.breakAfterBytes), () => response.destroy());
    this.breakAfterBytes = undefined;
  }

  #children(folder: string): object[] {
    const prefix = folder.endsWith("/") ? folder : `${folder}/`;
    const below = [...this.files]
      .filter(([path]) => path.startsWith(prefix))
      .map(([path, file]) => ({ rest: path.slice(prefix.length), file }));
    const folders = new Set(below.filter(({ rest }) => rest.includes("/")).map(({ rest }) => rest.slice(0, rest.indexOf("/"))));
    const files = below.filter(({ rest }) => !rest.includes("/")).map(({ rest, file }) => statusOf(rest, file));
    return [...files, ...[...folders].map((name) => statusOf(name, undefined))];
  }
}

function statusOf(pathSuffix: string, file: HdfsFile | undefined): object {
  return {
    pathSuffix,
    type: file === undefined ? "DIRECTORY" : "FILE",
    length: file?.content.length ?? 0,
    modificationTime: file?.modifiedMs ?? 0,
    fileId: file?.fileId ?? 16_386,
    accessTime: 0,
    blockSize: 134_217_728,
    group: "supergroup",
    owner: file?.owner ?? "hdfs",
    permission: "644",
    replication: 1,
  };
}

function readUrl(request: IncomingMessage): { path: string; query: URLSearchParams } {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://node");
  return { path: decodeURIComponent(pathname.replace(/^\/webhdfs\/v1/, "")), query: searchParams };
}

function sendJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { "content-type": "application/json;charset=utf-8" }).end(JSON.stringify(body));
}

function fail(response: ServerResponse, status: number, exception: string, message: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ RemoteException: { exception, javaClassName: `java.io.${exception}`, message } }));
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
