/** `dfget import FILE --url URL`: puts a file that is here already into the store as the content of a URL. Wiring. */
import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { SkimmerError } from "../../../system/errors.ts";
import { checkUrl } from "../../../torrents/parse-task-request.ts";
import { checkDigest, checkFilter, checkHeaderLines, checkMd5, checkTag } from "../../daemon/check-request.ts";
import { fetchOne, PROGRESS_OPTIONS } from "../fetch-one.ts";
import { runSubcommand, subcommandSpec } from "../subcommand.ts";

export const IMPORT_COMMAND = subcommandSpec({
  name: "import",
  description: "Puts a file that is here already into this host's store as the content of a URL; only what differs is downloaded.",
  arguments: "<FILE>",
  options: [
    { flags: "-u, --url <URL>", help: "the URL whose content it is" },
    {
      flags: "--header <LINE>",
      help: "header for the origin, 'Name: value'; may be repeated",
      parse: (text, previous) => [...((previous as string[]) ?? []), text],
    },
    { flags: "--digest <DIGEST>", help: "sha256:HEX that the content must have", parse: checkDigest },
    { flags: "--md5 <HEX>", help: "MD5 that the content must have", parse: checkMd5 },
    { flags: "--tag <TEXT>", help: "as in the downloads that are to find it", parse: checkTag },
    {
      flags: "-f, --filter <NAMES>",
      help: "as in the downloads that are to find it",
      parse: (text) => checkFilter(text.split("&").filter(Boolean)),
    },
    ...PROGRESS_OPTIONS,
  ],
  after: [
    "The origin says how long the content is and which version. Where a supernode knows the pieces, each is checked;",
    "where none answers, this host takes the file for the truth: give --digest. To share a file that has no URL: dfget seed.",
  ].join("\n"),
});

/** Answers the exit code. */
export function importFile(argv: readonly string[]): Promise<number> {
  return runSubcommand(IMPORT_COMMAND, argv, {
    args: [1, 1],
    run: async (invocation) => {
      const { options, args } = invocation;
      if (options.url === undefined)
        throw new SkimmerError("bad_request", "--url is missing", { hint: "To share a file that has no URL: dfget seed FILE." });
      const path = resolve(args[0]);
      await access(path).catch((cause: Error) =>
        Promise.reject(new SkimmerError("bad_request", `cannot read ${path}: ${cause.message}`, { cause })),
      );
      const url = checkUrl(options.url as string);
      const { digest, md5, tag, filter } = options;
      const headers = checkHeaderLines((options.header as string[] | undefined) ?? []);
      const body = { url, headers, digest, md5, tag, filter, fill: { path, trusted: true } };
      return fetchOne(invocation, { url, name: path, output: null, body });
    },
  });
}
