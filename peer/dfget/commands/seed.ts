/** `dfget seed PATH`: shares a local file or folder; writes its .torrents and prints its magnet links. Wiring. */
import { readFile, realpath, stat, writeFile } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { SkimmerError } from "../../../system/errors.ts";
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
      const given = options.output as string | undefined;
      const output = resolve(given ?? `${(name as string | undefined) ?? basename(resolve(args[0]))}.torrent`);
      const outputV2 = output.replace(/(\.torrent)?$/, ".v2.torrent");
      for (const path of [output, outputV2]) await checkOutside(path, resolve(args[0]));
      const body = { path: resolve(args[0]), name, hybrid, private: isPrivate, pieceLength, trackers, webSeeds };
      const result = await callDaemon<SeedResult>({ ...invocation, method: "POST", path: "/v1/seeds", body });
      const { torrent: first, torrentV2: second, ...facts } = result;
      const only = options.v2 === true ? (second ?? first) : undefined;
      const torrent = await save(output, only ?? first, given !== undefined);
      const torrentV2 = only === undefined && second !== undefined ? await save(outputV2, second, given !== undefined) : undefined;
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

/** What is shared must stay as it is: a .torrent is written neither over it nor into it. */
async function checkOutside(output: string, shared: string): Promise<void> {
  const [place, root] = await Promise.all([realPlace(output), realPlace(shared)]);
  const way = relative(root, place);
  const isInside = way === "" || !(way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way));
  if (!isInside && !(await isSameFile(output, shared))) return;
  throw new SkimmerError("bad_request", `${output} is what is shared, or lies in it`, { hint: "Give another place with -o." });
}

/** The path without symbolic links; of what is not there yet, that of its folder. */
async function realPlace(path: string): Promise<string> {
  const inFolder = async (): Promise<string> => join(await realpath(dirname(path)).catch(() => dirname(path)), basename(path));
  return realpath(path).catch(inFolder);
}

async function isSameFile(path: string, other: string): Promise<boolean> {
  const [one, two] = await Promise.all([path, other].map((each) => stat(each, { bigint: true }).catch(() => undefined)));
  return one !== undefined && one.ino === two?.ino && one.dev === two.dev;
}

/** Under a name that nobody chose, no other file is replaced. */
async function save(path: string, base64: string, mayReplace: boolean): Promise<string> {
  const bytes = Buffer.from(base64, "base64");
  await writeFile(path, bytes, { flag: mayReplace ? "w" : "wx" }).catch(async (cause: NodeJS.ErrnoException) => {
    if (mayReplace || cause.code !== "EEXIST") throw unwritable(path, cause);
    const there = await readFile(path).catch(() => undefined);
    if (there?.equals(bytes)) return;
    throw new SkimmerError("output_unwritable", `${path} is there already, and is another file`, {
      hint: "The share is on; give another place for its .torrent with -o.",
    });
  });
  return path;
}
