import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { replaceFile } from "../../../system/replace-file.ts";
import { temporaryFolder } from "../../support/folders.ts";

const LENGTH = 300_000;

test("replaceFile() makes the folder that is missing, for us alone, and leaves nothing beside the file", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "a", "b", "state.json");
  await replaceFile(path, "one");
  await replaceFile(path, "two", { modifiedMs: 1_700_000_000_000 });
  t.is(await readFile(path, "utf8"), "two");
  t.deepEqual(await readdir(join(folder.path, "a", "b")), ["state.json"]);
  const found = await stat(path);
  t.is(found.mode & 0o777, 0o600);
  t.is(found.mtimeMs, 1_700_000_000_000);
  t.is((await stat(join(folder.path, "a"))).mode & 0o777, 0o700);
});

test("replaceFile(): whoever reads meanwhile finds a whole version", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "state");
  await replaceFile(path, Buffer.alloc(LENGTH, 0));
  let writing = true;
  const write = async (): Promise<void> => {
    for (let version = 1; version <= 50; version++) await replaceFile(path, Buffer.alloc(LENGTH, version));
    writing = false;
  };
  const seen = new Set<number>();
  const read = async (): Promise<void> => {
    while (writing) {
      const bytes = await readFile(path);
      seen.add(bytes[0]);
      t.is(bytes.length, LENGTH);
      t.true(bytes.every((byte) => byte === bytes[0]));
    }
  };
  await Promise.all([write(), read()]);
  t.true(seen.size > 1);
});

test("replaceFile() says what the system says", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "state");
  await mkdir(path);
  await t.throwsAsync(replaceFile(path, "text"), { code: "EISDIR" });
});
