/** Completion scripts, patterns of files, tasks by name: deciders of the subcommands. */
import test from "ava";
import type { TaskRow } from "../../../peer/daemon/daemon-api.ts";
import { completionScript } from "../../../peer/dfget/completion-script.ts";
import { findTask } from "../../../peer/dfget/find-task.ts";
import { globPattern } from "../../../system/glob-pattern.ts";

const COMMANDS = [
  {
    name: "",
    description: "main",
    options: [{ short: "-o", long: "--output", description: "it's [a] file: here", takesValue: true }],
    words: [],
  },
  { name: "ls", description: "lists", options: [{ long: "--json", description: "json", takesValue: false }], words: [] },
];

test("completionScript() escapes what its shell would obey", (t) => {
  const zsh = completionScript("zsh", COMMANDS);
  t.true(zsh.includes("'*--output[it'\\''s \\[a\\] file\\: here]:output:_files'"));
  const fish = completionScript("fish", COMMANDS);
  t.true(fish.includes("-s o -l output -r -d 'it\\'s [a] file: here'"));
  t.true(fish.includes("-n '__fish_seen_subcommand_from ls' -l json -d 'json'"));
  t.true(completionScript("bash", COMMANDS).includes('ls) words="--json" ;;'));
});

test("globPattern() knows * ? and **, and takes everything else as it is", (t) => {
  const cases: [string, string, boolean][] = [
    ["*.txt", "a.txt", true],
    ["*.txt", "b/a.txt", false],
    ["**.txt", "b/a.txt", true],
    ["b/?.txt", "b/a.txt", true],
    ["a+(b).c", "a+(b).c", true],
    ["a.c", "abc", false],
  ];
  for (const [pattern, path, fits] of cases) t.is(globPattern(pattern).test(path), fits, `${pattern} ${path}`);
});

test("findTask() goes by the hash's beginning, the URL, the name, and refuses to guess", (t) => {
  const row = (infoHash: string, url: string, name: string): TaskRow => ({ infoHash, url, name }) as TaskRow;
  const tasks = [row("abcd01", "http://h/1", "x"), row("abcd02", "http://h/2", "x"), row("ffff03", "http://h/3", "abcd")];
  t.is(findTask(tasks, "ABCD01"), tasks[0]);
  t.is(findTask(tasks, "http://h/2"), tasks[1]);
  t.throws(() => findTask(tasks, "abcd"), { code: "bad_request" });
  t.throws(() => findTask(tasks, "x"), { code: "bad_request" });
  t.throws(() => findTask(tasks, "y"), { code: "not_found" });
});
