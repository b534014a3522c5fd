/** `dfget seed FILE`: shares a local file; writes its .torrent and prints its magnet link. Wiring. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { formatBytes } from "../../../system/units.ts";
import type { DaemonInfo, SeedResult } from "../../daemon/daemon-api.ts";
import { unwritable } from "../../daemon/output-check.ts";
import { callDaemon } from "../call-daemon.ts";
import { print, runSubcommand, subcommandSpec } from "../subcommand.ts";

export const SEED_COMMAND = subcommandSpec({
  name: "seed",
  description: "Shares a local file: copies it into this host's store, seeds it, and says how others get it.",
  arguments: "<FILE>",
  options: [
    { flags: "-o, --output <FILE>", help: "where to write the .torrent; absent: NAME.torrent in the current folder" },
    { flags: "--v2", help: "write a .torrent of version 2 (BEP 52) instead of version 1" },
  ],
  after:
    "The share lasts as long as the daemon: one that dfget started leaves after 5 minutes without requests and uploads. dfget rm ends it.",
});

/** Answers the exit code. */
export function seed(argv: readonly string[]): Promise<number> {
  return runSubcommand(SEED_COMMAND, argv, {
    args: [1, 1],
    run: async (invocation) => {
      const { args, options } = invocation;
      const body = { path: resolve(args[0]) };
      const { torrent, torrentV2, ...facts } = await callDaemon<SeedResult>({ ...invocation, method: "POST", path: "/v1/seeds", body });
      const file = resolve((options.output as string | undefined) ?? `${facts.name}.torrent`);
      const bytes = Buffer.from(options.v2 === true ? torrentV2 : torrent, "base64");
      await writeFile(file, bytes).catch((cause: unknown) => Promise.reject(unwritable(file, cause)));
      const { peer } = await callDaemon<DaemonInfo>({ ...invocation, method: "GET", path: "/v1/info" });
      print(invocation, { ...facts, torrent: file, peer }, [
        `${facts.name}: ${formatBytes(facts.lengthBytes)}, shared from ${peer}`,
        `torrent: ${file}`,
        `magnet: ${facts.magnet}`,
      ]);
      return 0;
    },
  });
}
