import { readFile } from "node:fs/promises";
import test from "ava";
import { EXIT_CODES } from "../../../system/exit-codes.ts";

test("EXIT_CODES is the table of docs/exit-codes.md", async (t) => {
  const page = await readFile(new URL("../../../docs/exit-codes.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| (\d+) \| `(\w+)` \|/gm)].map(([, code, name]) => [name, Number(code)]);
  t.deepEqual(Object.fromEntries(rows), EXIT_CODES);
  t.is(rows.length, Object.keys(EXIT_CODES).length);
});

test("EXIT_CODES are what a shell can pass on, and never 0", (t) => {
  for (const code of Object.values(EXIT_CODES)) t.true(Number.isInteger(code) && code >= 1 && code <= 130);
});
