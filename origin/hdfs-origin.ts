/**
 * Files and folders of HDFS over WebHDFS: plain HTTP, where the name node redirects reads to a data node. Drives the http
 * back end. `hdfs://HOST:PORT/path` and `webhdfs://` name the name node's HTTP port (9870 where absent), `swebhdfs://` its
 * HTTPS port (9871). `?user.name=…` and `?delegation=…` go along.
 *
 * WebHDFS has no validators of its own. A file is known by file id, length and modification time; they are looked at
 * again when a range has begun to arrive and before its first byte counts: from then on one version is open.
 */
import { SkimmerError } from "../system/errors.ts";
import { fieldReader } from "../torrents/parse-fields.ts";
import { safeName } from "../torrents/safe-name.ts";
import { windowLength } from "./http-answers.ts";
import { shownUrl } from "./http-headers.ts";
import type { AskOptions, ChunkSink, Origin, OriginEntry, OriginListing, OriginRequest, Probe, ReadRange } from "./types.ts";
import { lastSegment, plainPath } from "./url-path.ts";

const PORTS: Readonly<Record<string, string>> = { "hdfs:": "9870", "webhdfs:": "9870", "swebhdfs:": "9871" };
/** Parameters of the caller that say who he is. */
const CALLER_PARAMETERS = ["user.name", "delegation", "doas"];
/** A folder's listing may be this long. */
const MOST_JSON_BYTES = 64 * 1024 * 1024;
const MOST_ENTRIES = 1_000_000;
const read = fieldReader("origin_failed", "WebHDFS answer");

export interface HdfsOriginOptions {
  /** Reads http and https. */
  readonly http: Origin;
  /** `user.name` where the URL has none; absent: what the cluster takes for an unnamed caller. */
  readonly user?: string;
}

interface FileStatus {
  readonly name: string;
  readonly isDirectory: boolean;
  readonly lengthBytes: number;
  readonly modifiedMs: number;
  readonly fileId: number;
}

export function openHdfsOrigin(options: HdfsOriginOptions): Origin {
  return new HdfsOrigin(options);
}

class HdfsOrigin implements Origin {
  readonly #http: Origin;
  readonly #user: string | undefined;

  constructor(options: HdfsOriginOptions) {
    this.#http = options.http;
    this.#user = options.user;
  }

  async probe(request: OriginRequest, options: AskOptions): Promise<Probe> {
    const status = await this.#status(request, options);
    if (status.isDirectory) throw new SkimmerError("bad_request", `${shownUrl(request.url)} is a folder`);
    return {
      lengthBytes: windowLength(request, status.lengthBytes),
      ranges: true,
      validators: validatorsOf(status),
      name: lastSegment(plainPath(request.url)),
      cacheControl: "",
    };
  }

  async read(request: OriginRequest, range: ReadRange, sink: ChunkSink, options: AskOptions): Promise<void> {
    const offset = range.firstByte + (request.window?.firstByte ?? 0);
    const lengthBytes = range.lastByte === undefined ? undefined : range.lastByte - range.firstByte + 1;
    const url = this.#url(request, {
      op: "OPEN",
      offset: String(offset),
      ...(lengthBytes === undefined ? {} : { length: String(lengthBytes) }),
    });
    let isChecked = false;
    const checkedSink = async (chunk: Buffer): Promise<void> => {
      await this.#checkVersion(request, range, options);
      isChecked = true;
      await sink(chunk);
    };
    // the window and the first byte are in the URL already: what comes is a body from its first byte to its last
    let left = lengthBytes ?? Number.POSITIVE_INFINITY;
    const take = (chunk: Buffer): void | Promise<void> => {
      const part = chunk.length <= left ? chunk : chunk.subarray(0, left);
      left -= part.length;
      if (part.length === 0) return undefined;
      return isChecked ? sink(part) : checkedSink(part);
    };
    const whole: ReadRange = { firstByte: 0, lastByte: undefined, validators: {} };
    await this.#http.read({ ...request, url, window: undefined }, whole, take, options);
    if (!isChecked) await this.#checkVersion(request, range, options);
    if (left > 0 && left !== Number.POSITIVE_INFINITY)
      throw new SkimmerError("origin_failed", `${shownUrl(request.url)} sent fewer bytes than were asked for`, { retriable: true });
  }

  async list(request: OriginRequest, options: AskOptions & { readonly most: number }): Promise<OriginListing> {
    const answer = read.object(await this.#ask(request, "LISTSTATUS", options), "body");
    const found = read.list(read.object(answer.FileStatuses, "FileStatuses").FileStatus, "FileStatus", MOST_ENTRIES).map(parseStatus);
    // a file lists itself, under an empty name
    if (found.length === 1 && found[0].name === "") throw new SkimmerError("bad_request", `${shownUrl(request.url)} is no folder`);
    found.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { entries: found.slice(0, options.most).map((status) => entryOf(request.url, status)), truncated: found.length > options.most };
  }

  /** The http back end belongs to whoever gave it. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  async #checkVersion(request: OriginRequest, range: ReadRange, options: AskOptions): Promise<void> {
    const { etag } = validatorsOf(await this.#status(request, options));
    if (range.validators.etag === undefined || range.validators.etag === etag) return;
    throw new SkimmerError("origin_changed", `${shownUrl(request.url)} changed while it was being read`, {
      hint: "Start the download again to get the new version.",
    });
  }

  async #status(request: OriginRequest, options: AskOptions): Promise<FileStatus> {
    return parseStatus(read.object(await this.#ask(request, "GETFILESTATUS", options), "body").FileStatus);
  }

  async #ask(request: OriginRequest, op: string, options: AskOptions): Promise<unknown> {
    const chunks: Buffer[] = [];
    let length = 0;
    const take = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > MOST_JSON_BYTES) throw new SkimmerError("origin_failed", `the listing of ${shownUrl(request.url)} is too long`);
      chunks.push(Buffer.from(chunk));
    };
    const whole: ReadRange = { firstByte: 0, lastByte: undefined, validators: {} };
    await this.#http.read({ ...request, url: this.#url(request, { op }), window: undefined }, whole, take, options);
    try {
      return JSON.parse(Buffer.concat(chunks, length).toString("utf8"));
    } catch (cause) {
      throw new SkimmerError("origin_failed", `${shownUrl(request.url)} does not speak WebHDFS`, {
        hint: "Give the HTTP port of the name node (9870), not its RPC port.",
        cause,
      });
    }
  }

  #url(request: OriginRequest, parameters: Readonly<Record<string, string>>): string {
    const { protocol, hostname, port, pathname, searchParams } = new URL(request.url);
    const url = new URL(`${protocol === "swebhdfs:" ? "https" : "http"}://${hostname}:${port || PORTS[protocol]}/webhdfs/v1${pathname}`);
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    for (const name of CALLER_PARAMETERS) {
      const value = searchParams.get(name);
      if (value !== null) url.searchParams.set(name, value);
    }
    if (this.#user !== undefined && !CALLER_PARAMETERS.some((name) => searchParams.has(name)))
      url.searchParams.set("user.name", this.#user);
    return url.href;
  }
}

function parseStatus(value: unknown): FileStatus {
  const fields = read.object(value, "FileStatus");
  const whole = { least: 0, most: Number.MAX_SAFE_INTEGER };
  return {
    name: read.text(fields.pathSuffix, "pathSuffix", 4096),
    isDirectory: read.text(fields.type, "type", 20) === "DIRECTORY",
    lengthBytes: read.integer(fields.length, "length", whole),
    modifiedMs: read.integer(fields.modificationTime, "modificationTime", whole),
    fileId: fields.fileId === undefined ? 0 : read.integer(fields.fileId, "fileId", whole),
  };
}

function validatorsOf({ fileId, lengthBytes, modifiedMs }: FileStatus) {
  const etag = `"${[fileId, lengthBytes, modifiedMs].map((part) => part.toString(16)).join("-")}"`;
  return { etag, lastModified: new Date(modifiedMs).toUTCString() };
}

function entryOf(folder: string, { name, isDirectory, lengthBytes }: FileStatus): OriginEntry {
  const url = new URL(folder);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/${encodeURIComponent(name)}`;
  return { name: safeName(name), url: url.href, isDirectory, lengthBytes: isDirectory ? undefined : lengthBytes };
}
