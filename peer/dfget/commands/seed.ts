/** `dfget seed PATH`: shares a local file or folder; writes its .torrents and prints its magnet links. Wiring. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { formatBytes, parseBytes } from "../../../system/units.ts";
import { checkTorrentPieceLength, checkTracker, checkWebSeed } from "../../daemon/check-request.ts";
import type { DaemonInfo, SeedResult } from "../../daemon/daemon-api.ts";
import { unwritable } from "../../daemon/output-check.ts";
import { callDaemon } from "../call-daemon.ts";
import { print, runSubcommand, subcommandSpec } from "../subcommand.ts";

export const SEED_COMMAND = subcommandSpec({
  name: "seed",
  description: "Shares a local file or folder where it is, without a copy: makes its torrents, and says how others get it.",
  arguments: "<PATH>",
  options: [
    {
      flags: "-o, --output <FILE>",
      help: "where to write the .torrent; absent: NAME.torrent in the current folder. The v2 one is named .v2.torrent",
    },
    { flags: "--v2", help: "write the .torrent of version 2 (BEP 52) only" },
    { flags: "--hybrid", help: "make one torrent that is of both versions, in place of two" },
    { flags: "--name <NAME>", help: "the torrent's name; absent: that of the file or folder" },
    {
      flags: "--piece-length <BYTES>",
      help: "power of two, 16KiB to 16MiB; absent: by the length",
      parse: (text) => checkTorrentPieceLength(parseBytes(text)),
    },
    { flags: "--private", help: "peers are found through the trackers only (BEP 27)" },
    {
      flags: "--tracker <URL>",
      help: "a tracker; may be repeated; absent: the supernodes",
      parse: (text, all) => [...listOf(all), checkTracker(text)],
    },
    {
      flags: "--web-seed <URL>",
      help: "a server that has the content too (BEP 19); may be repeated",
      parse: (text, all) => [...listOf(all), checkWebSeed(text)],
    },
  ],
  after:
    "The share lasts as long as the daemon, and until a file of it changes: a daemon that dfget started leaves after 5 minutes without requests and uploads. dfget rm ends the share.",
});

/** Answers the exit code. */
export function seed(argv: readonly string[]): Promise<number> {
  return runSubcommand(SEED_COMMAND, argv, {
    args: [1, 1],
    run: async (invocation) => {
      const { args, options } = invocation;
      const { name, hybrid, private: isPrivate, pieceLength, tracker: trackers, webSeed: webSeeds } = options;
      const body = { path: resolve(args[0]), name, hybrid, private: isPrivate, pieceLength, trackers, webSeeds };
      const result = await callDaemon<SeedResult>({ ...invocation, method: "POST", path: "/v1/seeds", body });
      const { torrent: first, torrentV2: second, ...facts } = result;
      const output = resolve((options.output as string | undefined) ?? `${facts.name}.torrent`);
      const only = options.v2 === true ? (second ?? first) : undefined;
      const torrent = await save(output, only ?? first);
      const torrentV2 =
        only === undefined && second !== undefined ? await save(output.replace(/(\.torrent)?$/, ".v2.torrent"), second) : undefined;
      const { peer } = await callDaemon<DaemonInfo>({ ...invocation, method: "GET", path: "/v1/info" });
      print(invocation, { ...facts, torrent, torrentV2, peer }, [
        `${facts.name}: ${formatBytes(facts.lengthBytes)}, shared from ${peer}`,
        `torrent: ${torrent}`,
        ...(torrentV2 === undefined ? [] : [`torrent v2: ${torrentV2}`]),
        `magnet: ${facts.magnet}`,
        ...(facts.magnetV2 === undefined ? [] : [`magnet v2: ${facts.magnetV2}`]),
      ]);
      return 0;
    },
  });
}

function listOf(value: unknown): string[] {
  return (value as string[] | undefined) ?? [];
}

async function save(path: string, base64: string): Promise<string> {
  await writeFile(path, Buffer.from(base64, "base64")).catch((cause: unknown) => Promise.reject(unwritable(path, cause)));
  return path;
}
