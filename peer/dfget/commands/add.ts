/** `dfget add FILE.torrent|URL|MAGNET`: downloads a torrent that somebody else made. Wiring. */
import { SkimmerError } from "../../../system/errors.ts";
import { formatBytes, parseRate } from "../../../system/units.ts";
import { parseFileRanges } from "../../../torrents/file-selection.ts";
import { checkDigest, checkMd5 } from "../../daemon/check-request.ts";
import type { TorrentListing } from "../../daemon/daemon-api.ts";
import { readPeer } from "../../daemon/torrent-source.ts";
import { callDaemon } from "../call-daemon.ts";
import { fetchOne, PROGRESS_OPTIONS } from "../fetch-one.ts";
import { printable } from "../progress-text.ts";
import { type GivenTorrent, readTorrent } from "../read-torrent.ts";
import { type Invocation, print, runSubcommand, subcommandSpec } from "../subcommand.ts";
import { torrentOutput } from "../torrent-output.ts";
import { fileLines } from "../torrent-text.ts";

export const ADD_COMMAND = subcommandSpec({
  name: "add",
  description: "Downloads a torrent, version 1, 2 or hybrid, of one file or many: from a .torrent file, its URL, or a magnet link.",
  arguments: "<FILE|URL|MAGNET>",
  options: [
    {
      flags: "-o, --output <PATH>",
      help: "file to write, or folder into which the torrent's file or folder goes; - is standard output, for one file; absent: the current folder",
    },
    {
      flags: "--files <NUMBERS>",
      help: "only these files, by their numbers: 1,3-5; absent: all, or those that the link names",
      parse: checkNumbers,
    },
    { flags: "--include <PATTERN>", help: "only files that match; *, ? and ** across folders; may be repeated", parse: collect },
    { flags: "--list-files", help: "show the files with their numbers, and download nothing" },
    { flags: "-c, --continue", help: "take what the output has already, where it is right by the torrent's hashes" },
    { flags: "--peer <HOST:PORT>", help: "a peer to begin with; may be repeated", parse: collectPeers },
    { flags: "--limit <RATE>", help: "bytes per second of this download; 0: unlimited", default: 0, parse: parseRate },
    { flags: "--digest <DIGEST>", help: "sha256:HEX that the content of a torrent of one file must have", parse: checkDigest },
    { flags: "--md5 <HEX>", help: "MD5 that the content of a torrent of one file must have", parse: checkMd5 },
    ...PROGRESS_OPTIONS,
  ],
  after: "A torrent of several files always gets a folder of its name. What was verified is kept: the same command goes on there.",
});

/** Answers the exit code. */
export function add(argv: readonly string[]): Promise<number> {
  return runSubcommand(ADD_COMMAND, argv, {
    args: [1, 1],
    run: async (invocation) => {
      const { options } = invocation;
      const given = await readTorrent(invocation.args[0], invocation);
      if (options.listFiles === true) return listFiles(invocation, given);
      const { limit, digest, md5, peer: peers, files: numbers, include: patterns } = options;
      const wanted = { limit, digest, md5, peers, files: { numbers, patterns }, fillFromOutput: options.continue === true };
      const place = await torrentOutput(options.output as string | undefined, { name: given.name, place: invocation.place });
      return fetchOne(invocation, { url: given.text, name: given.name, body: { ...given.body, ...wanted }, ...place });
    },
  });
}

async function listFiles(invocation: Invocation, { body }: GivenTorrent): Promise<number> {
  const { peer: peers } = invocation.options;
  const listing = await callDaemon<TorrentListing>({ ...invocation, method: "POST", path: "/v1/torrents", body: { ...body, peers } });
  print(invocation, listing, [
    `${printable(listing.name)}: ${formatBytes(listing.lengthBytes)} in ${listing.files.length} files`,
    ...fileLines(listing),
  ]);
  return 0;
}

function checkNumbers(text: string): string {
  parseFileRanges(text, 1);
  return text;
}

function collect(text: string, previous: unknown): string[] {
  return [...((previous as string[] | undefined) ?? []), text];
}

function collectPeers(text: string, previous: unknown): string[] {
  if (readPeer(text).length === 0) throw new SkimmerError("bad_request", `"${text}" is not a peer's address`, { hint: "Write HOST:PORT." });
  return collect(text, previous);
}
