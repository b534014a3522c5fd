/** docs/dfget.md and the tables of options say the same. */
import { readFile } from "node:fs/promises";
import test from "ava";
import { COMMAND_TABLE } from "../../../peer/dfget/command-table.ts";
import { buildCommand } from "../../../system/options.ts";

const NOT_THERE = new Set(["config", "print-config", "version", "help"]);
/** Described elsewhere. */
const ELSEWHERE = new Set(["daemon", "preheat"]);

/** Flags of other programs and of the daemon that the page mentions. */
const OF_OTHERS = new Set([
  "--origin-ca",
  "--origin-insecure",
  "--peer-listen",
  "--expire",
  "--idle-exit",
  "--cache-size",
  "--socket-group",
  "--open-tracker",
  "--inplace",
  "--help",
  "--take-over",
]);

const FLAG = /(?<![\w-])--?[a-zA-Z][\w-]*/g;

test("docs/dfget.md names every option of dfget and its subcommands, and none that is not there", async (t) => {
  const text = await readFile(new URL("../../../docs/dfget.md", import.meta.url), "utf8");
  const mentioned = new Set(text.match(/`[^`]*`/g)?.flatMap((code) => code.match(FLAG) ?? []));
  const known = new Set<string>(["-t", "-r"]);
  for (const [name, spec] of Object.entries(COMMAND_TABLE)) {
    for (const option of buildCommand(spec).options) {
      for (const flag of [option.short, option.long]) if (flag !== undefined) known.add(flag);
      if (ELSEWHERE.has(name) || NOT_THERE.has(option.name())) continue;
      t.true(mentioned.has(option.long ?? ""), `dfget ${name}: ${option.long} is not in docs/dfget.md`);
    }
    if (name !== "") t.true(text.includes(`\`dfget ${name}`), `dfget ${name} is not in docs/dfget.md`);
  }
  for (const flag of mentioned) t.true(known.has(flag) || OF_OTHERS.has(flag), `docs/dfget.md names ${flag}, which dfget has not`);
});
