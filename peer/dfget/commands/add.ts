/** `dfget add FILE.torrent|MAGNET`: downloads a torrent that somebody else made. Wiring. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { SkimmerError } from "../../../system/errors.ts";
import { parseRate } from "../../../system/units.ts";
import { checkDigest, checkMd5 } from "../../daemon/check-request.ts";
import { readMagnet, readPeer, readTorrentFile } from "../../daemon/torrent-source.ts";
import { type Fetch, fetchOne, PROGRESS_OPTIONS } from "../fetch-one.ts";
import { runSubcommand, subcommandSpec } from "../subcommand.ts";

const MOST_BYTES = 32 * 1024 * 1024;

export const ADD_COMMAND = subcommandSpec({
  name: "add",
  description: "Downloads a torrent: one file, version 1, 2 or hybrid, from a .torrent file or a magnet link.",
  arguments: "<FILE|MAGNET>",
  options: [
    { flags: "-o, --output <FILE>", help: "file to write; - is standard output; absent: the torrent's name, in the current folder" },
    { flags: "--peer <HOST:PORT>", help: "a peer to begin with; may be repeated", parse: collectPeers },
    { flags: "--limit <RATE>", help: "bytes per second of this download; 0: unlimited", default: 0, parse: parseRate },
    { flags: "--digest <DIGEST>", help: "sha256:HEX that the content must have", parse: checkDigest },
    { flags: "--md5 <HEX>", help: "MD5 that the content must have", parse: checkMd5 },
    ...PROGRESS_OPTIONS,
  ],
  after: "Trackers that speak HTTP are asked, and the peers that --peer and the link (x.pe=HOST:PORT) name.",
});

/** Answers the exit code. */
export function add(argv: readonly string[]): Promise<number> {
  return runSubcommand(ADD_COMMAND, argv, {
    args: [1, 1],
    run: async (invocation) => {
      const { options } = invocation;
      const { limit, digest, md5 } = options;
      const wanted = await readSource(invocation.args[0]);
      return fetchOne(invocation, {
        ...wanted,
        output: options.output as string | undefined,
        body: { ...wanted.body, limit, digest, md5, peers: options.peer },
      });
    },
  });
}

function collectPeers(text: string, previous: unknown): string[] {
  if (readPeer(text).length === 0) throw new SkimmerError("bad_request", `"${text}" is not a peer's address`, { hint: "Write HOST:PORT." });
  return [...((previous as string[] | undefined) ?? []), text];
}

async function readSource(text: string): Promise<Fetch> {
  if (/^magnet:/i.test(text)) return { url: text, name: readMagnet(text).name, body: { url: text } };
  const bytes = await readFile(resolve(text)).catch((cause: Error) => {
    throw new SkimmerError("bad_request", `cannot read ${text}: ${cause.message}`, {
      hint: "Give a .torrent file or a magnet link.",
      cause,
    });
  });
  if (bytes.length > MOST_BYTES)
    throw new SkimmerError("bad_request", `${text} has ${bytes.length} bytes; a .torrent has at most ${MOST_BYTES}`);
  return { url: text, name: readTorrentFile(bytes).name, body: { torrent: bytes.toString("base64") } };
}
