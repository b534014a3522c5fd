/** The samples in deploy/: every key and value in them is one that the commands take, and the units start commands that exist. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { temporaryFolder } from "../../support/folders.ts";
import { type CommandName, runCommand } from "../../support/processes.ts";

const DEPLOY = fileURLToPath(new URL("../../../deploy", import.meta.url));
const NEEDS_VALUE: Readonly<Record<string, readonly string[]>> = { dfget: ["http://h/f"] };

test("each sample configuration is accepted, with everything in it switched on", async (t) => {
  await using folder = await temporaryFolder();
  const samples = readdirSync(join(DEPLOY, "config"));
  t.deepEqual(samples.sort(), ["dfdaemon.yaml", "dfget.yaml", "seeder.yaml", "supernode.yaml"]);
  for (const sample of samples) {
    const command = sample.replace(".yaml", "") as CommandName;
    const text = readFileSync(join(DEPLOY, "config", sample), "utf8");
    const on = text.replace(/^#(?=[a-z-]+: )/gm, "");
    t.not(on, text);
    for (const [state, content] of Object.entries({ off: text, on })) {
      const path = join(folder.path, `${state}-${sample}`);
      await writeFile(path, content);
      const args = [...(NEEDS_VALUE[command] ?? []), "--config", path, "--print-config"];
      const result = await runCommand({ command, args });
      t.is(result.exitCode, 0, `${sample} ${state}: ${result.stderr}`);
      if (state === "on")
        for (const [, key] of on.matchAll(/^([a-z-]+): /gm)) t.true(result.stdout.includes(key.replace(/^no-/, "")), `${sample}: ${key}`);
    }
  }
});

test("each unit starts one of our commands with options that it has, under a user of its own", async (t) => {
  for (const name of readdirSync(join(DEPLOY, "systemd"))) {
    const unit = readFileSync(join(DEPLOY, "systemd", name), "utf8");
    const [, command, words] = /^ExecStart=\/usr\/bin\/env (\w+) (.*)$/m.exec(unit) ?? [];
    t.is(`skimmer-${command}.service`, name);
    const result = await runCommand({ command: command as CommandName, args: [...words.split(" "), "--print-config"].filter(notAGroup) });
    t.is(result.exitCode, 0, `${name}: ${result.stderr}`);
    t.regex(unit, /^User=skimmer$/m);
    t.regex(unit, /^NoNewPrivileges=yes$/m);
  }
});

/** The group of the sample need not be there on the machine of the test. */
function notAGroup(word: string, at: number, words: readonly string[]): boolean {
  return word !== "--socket-group" && words[at - 1] !== "--socket-group";
}

test("systemd itself finds nothing wrong with the units", (t) => {
  if (spawnSync("systemd-analyze", ["--version"]).status !== 0) return t.pass("there is no systemd here");
  for (const name of readdirSync(join(DEPLOY, "systemd"))) {
    const { stderr } = spawnSync("systemd-analyze", ["verify", join(DEPLOY, "systemd", name)], { encoding: "utf8" });
    t.false(/Unknown key|Invalid|Failed to parse/i.test(stderr), stderr);
  }
});
