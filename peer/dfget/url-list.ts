/**
 * The file of `-i`: one URL a line. Drives: reads it. What the URLs are is checked with all others.
 */
import { readFile } from "node:fs/promises";
import { SkimmerError } from "../../system/errors.ts";

const MOST_BYTES = 16 * 1024 * 1024;
const MOST_URLS = 100_000;

/** The URLs of the file (`-`: standard input). Rejects with SkimmerError `bad_request`. */
export async function readUrlList(path: string): Promise<string[]> {
  const urls = parseUrlList(await readText(path));
  if (urls.length > MOST_URLS) throw new SkimmerError("bad_request", `${path} has ${urls.length} URLs; at most ${MOST_URLS} are read`);
  return urls;
}

/** Lines without blank ones and comments. */
export function parseUrlList(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

async function readText(path: string): Promise<string> {
  if (path === "-") return readStandardInput();
  const bytes = await readFile(path).catch((cause: Error) => {
    throw new SkimmerError("bad_request", `cannot read the list of URLs ${path}: ${cause.message}`, {
      hint: "-i names a file with URLs, as in wget; v1's identifier is --identifier here.",
      cause,
    });
  });
  return checkLength(bytes).toString("utf8");
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    checkLength({ length: chunks.reduce((sum, { length }) => sum + length, 0) });
  }
  return Buffer.concat(chunks).toString("utf8");
}

function checkLength<T extends { readonly length: number }>(bytes: T): T {
  if (bytes.length > MOST_BYTES) throw new SkimmerError("bad_request", `the list of URLs is longer than ${MOST_BYTES} bytes`);
  return bytes;
}
