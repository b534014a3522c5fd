import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { buildCommand, type CommandSpec, type ParsedCommand, parseCommand, VERSION } from "../../../system/options.ts";
import { parseRate } from "../../../system/units.ts";
import { temporaryFolder } from "../../support/folders.ts";

const SPEC: CommandSpec = {
  name: "thing",
  description: "A command.",
  arguments: "[URL]",
  options: [
    { flags: "--test-limit <RATE>", help: "bytes per second; 0: unlimited", default: 0, parse: parseRate },
    { flags: "--test-name <TEXT>", help: "a name" },
    { flags: "--test-header <LINE>", help: "may be repeated", parse: (text, previous) => [...((previous as string[]) ?? []), text] },
    { flags: "--test-quiet", help: "say nothing" },
    { flags: "--no-test-seeder", help: "start no seeder" },
  ],
};

interface Given {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly file?: string;
}

/** Parses with these variables set for the time of the call, and a configuration file with this text. */
async function parseGiven({ args = [], env = {}, file = "" }: Given): Promise<ParsedCommand> {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "thing.yaml");
  await writeFile(path, file);
  Object.assign(process.env, env);
  try {
    const parsed = await parseCommand(SPEC, [...args, "--config", path]);
    if (parsed === undefined) throw new Error("nothing to do");
    return parsed;
  } finally {
    for (const name of Object.keys(env)) delete process.env[name];
  }
}

async function refuses(t: ExecutionContext, given: Given, message: RegExp): Promise<void> {
  const error = await t.throwsAsync(parseGiven(given), { message });
  t.like(error, { name: "SkimmerError", code: "bad_request" });
}

test.serial("parseCommand() prefers flag to environment to file to default", async (t) => {
  const args = ["--test-limit", "4M"];
  const env = { SKIMMER_TEST_LIMIT: "3M" };
  const file = "test-limit: 2M\n";
  const found = async (given: Given): Promise<unknown[]> => {
    const parsed = await parseGiven(given);
    return [parsed.options.testLimit, parsed.sourceOf("testLimit")];
  };
  t.deepEqual(await found({ args, env, file }), [4e6, "cli"]);
  t.deepEqual(await found({ env, file }), [3e6, "env"]);
  t.deepEqual(await found({ file }), [2e6, "config"]);
  t.deepEqual(await found({}), [0, "default"]);
});

test.serial("parseCommand() takes the words of a boolean variable for what they say", async (t) => {
  const value = async (env: Record<string, string>, name: string): Promise<unknown> => (await parseGiven({ env })).options[name];
  t.is(await value({ SKIMMER_TEST_QUIET: "true" }, "testQuiet"), true);
  t.is(await value({ SKIMMER_TEST_QUIET: "0" }, "testQuiet"), false);
  t.is(await value({ SKIMMER_TEST_SEEDER: "true" }, "testSeeder"), true);
  t.is(await value({ SKIMMER_TEST_SEEDER: "no" }, "testSeeder"), false);
  t.is(await value({ SKIMMER_NO_TEST_SEEDER: "1" }, "testSeeder"), false);
  t.is(await value({}, "testSeeder"), true);
  await refuses(t, { env: { SKIMMER_TEST_QUIET: "maybe" } }, /SKIMMER_TEST_QUIET is "maybe"/);
});

test.serial("parseCommand() reads lists and booleans from the file", async (t) => {
  const file = "test-header: [a, b]\ntest-quiet: true\nno-test-seeder: true\ntest-name: 7\n";
  const { options } = await parseGiven({ file });
  t.like(options, { testHeader: ["a", "b"], testQuiet: true, testSeeder: false, testName: "7" });
  t.is((await parseGiven({ file: "test-seeder: false" })).options.testSeeder, false);
});

test.serial("parseCommand() refuses what it does not know, and says where", async (t) => {
  await refuses(t, { args: ["--test-limti", "1"] }, /unknown option '--test-limti'/);
  await refuses(t, { args: ["--test-limit", "fast"] }, /^--test-limit: cannot read the amount "fast"/);
  await refuses(t, { args: ["url", "more"] }, /too many arguments/);
  await refuses(t, { env: { SKIMMER_TEST_LIMIT: "fast" } }, /^--test-limit: cannot read/);
  await refuses(t, { file: "test-limti: 1" }, /thing\.yaml has the unknown option "test-limti"/);
  await refuses(t, { file: "config: other.yaml" }, /unknown option "config"/);
  await refuses(t, { file: "test-limit: fast" }, /^--test-limit: cannot read/);
  await refuses(t, { file: "test-name: [a]" }, /thing\.yaml: test-name must be one value$/);
  await refuses(t, { file: "test-header: [{a: 1}]" }, /test-header must be one value or a list/);
  await refuses(t, { file: "test-limit:" }, /test-limit must be one value/);
  await refuses(t, { file: "test-quiet: maybe" }, /neither true nor false/);
  await refuses(t, { file: "[a, b]" }, /must hold a mapping/);
  await refuses(t, { file: "just words" }, /must hold a mapping/);
  await refuses(t, { file: "a: b: c" }, /cannot read the configuration/);
});

test.serial("parseCommand() refuses a configuration file that is not there", async (t) => {
  const error = await t.throwsAsync(parseCommand(SPEC, ["--config", "/nonexistent/thing.yaml"]), { message: /\/nonexistent\/thing\.yaml/ });
  t.like(error, { code: "bad_request" });
});

test.serial("buildCommand() names the variable of each option", (t) => {
  const help = buildCommand(SPEC).helpInformation();
  t.regex(help, /SKIMMER_TEST_LIMIT/);
  t.regex(help, /SKIMMER_NO_TEST_SEEDER/);
});

test("VERSION is the package's", async (t) => {
  const { version } = JSON.parse(await readFile(new URL("../../../package.json", import.meta.url), "utf8"));
  t.is(VERSION, version);
});
