/**
 * What `dfget add` was given, as the daemon takes it: a magnet link, a .torrent file, or the URL of one. Drives: reads the file, or has the
 * daemon fetch the URL, so that its proxies and certificates count. Bounded in length.
 */
import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { SkimmerError } from "../../system/errors.ts";
import { readMagnet, readTorrentFile, type TorrentInfos } from "../daemon/torrent-source.ts";
import type { DaemonPlace } from "./daemon-place.ts";
import { postDownload } from "./daemon-socket.ts";
import { errorOf } from "./fetch-through-daemon.ts";

export interface GivenTorrent {
  /** What to call it in messages. */
  readonly text: string;
  readonly name: string;
  /** Fields of a request to the daemon. */
  readonly body: { readonly url: string } | { readonly torrent: string };
  /** undefined: a link, whose metadata only peers have. */
  readonly infos: TorrentInfos | undefined;
}

const MOST_BYTES = 32 * 1024 * 1024;
const IS_URL = /^[a-z][a-z0-9+.-]*:\/\//i;

/** Whether it names a torrent and no task: a magnet link, a file that is there, or a URL; the latter two end with `.torrent`. */
export async function isTorrent(text: string): Promise<boolean> {
  if (/^magnet:/i.test(text)) return true;
  if (IS_URL.test(text)) return /\.torrent$/i.test(URL.parse(text)?.pathname ?? "");
  if (!/\.torrent$/i.test(text)) return false;
  return await stat(resolve(text)).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Rejects with SkimmerError `bad_request`, or with why the URL cannot be fetched. */
export async function readTorrent(text: string, options: { place: DaemonPlace; signal: AbortSignal }): Promise<GivenTorrent> {
  if (/^magnet:/i.test(text)) return { text, name: readMagnet(text).name, body: { url: text }, infos: undefined };
  const bytes = IS_URL.test(text) ? await fetchFile(text, options) : await readLocal(text);
  const { name, infos } = readTorrentFile(bytes);
  return { text, name, body: { torrent: bytes.toString("base64") }, infos };
}

async function readLocal(text: string): Promise<Buffer> {
  const path = resolve(text);
  try {
    const { size } = await stat(path);
    if (size > MOST_BYTES) throw tooLong(text);
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof SkimmerError) throw cause;
    throw new SkimmerError("bad_request", `cannot read ${text}: ${(cause as Error).message}`, {
      hint: "Give a .torrent file, its URL, or a magnet link.",
      cause,
    });
  }
}

async function fetchFile(url: string, { place, signal }: { place: DaemonPlace; signal: AbortSignal }): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  const onContent = (bytes: Buffer): undefined => {
    length += bytes.length;
    if (length > MOST_BYTES) throw tooLong(url);
    chunks.push(Buffer.from(bytes));
  };
  const body = { url, stream: true, pattern: "source" };
  const ask = () => postDownload({ socket: place.paths.socket, body, signal, onEvent: () => undefined, onContent });
  let result = await ask();
  if (result.kind === "away") {
    const { startDaemon } = await import("./start-daemon.ts");
    await startDaemon({ ...place, signal });
    result = await ask();
  }
  if (result.kind === "done") return Buffer.concat(chunks, length);
  if (result.kind === "error") throw errorOf(result.event);
  throw new SkimmerError("daemon_unreachable", "the host daemon went away", { hint: `Its log is ${place.paths.log}.` });
}

function tooLong(what: string): SkimmerError {
  return new SkimmerError("bad_request", `${what} is longer than ${MOST_BYTES} bytes, which no .torrent file is`);
}
