/** The journal on a disk that fills up. */
import { spawnSync } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { Journal } from "../../../peer/engine/store/journal.ts";
import { temporaryFolder } from "../../support/folders.ts";

test("entries that a full disk did not take are written when there is room, and none before them is lost", async (t) => {
  await using folder = await temporaryFolder();
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder.path]).status !== 0)
    return t.pass("this machine does not let us mount");
  t.teardown(() => void spawnSync("umount", ["-l", folder.path]));
  const path = join(folder.path, "journal");
  const { journal } = await Journal.open(path);
  const entry = (value: number) => ({ type: 1, payload: Buffer.alloc(3000, value) });
  journal.append(entry(1));
  await journal.flush();
  await t.throwsAsync(writeFile(join(folder.path, "foreign"), Buffer.alloc(2 ** 20)), { code: "ENOSPC" });
  for (const value of [2, 3]) journal.append(entry(value));
  await t.throwsAsync(journal.flush(), { code: "ENOSPC" });
  await rm(join(folder.path, "foreign"));
  journal.append(entry(4));
  await journal.flush();
  await journal.close();
  const { journal: again, entries } = await Journal.open(path);
  t.deepEqual(
    entries.map(({ payload }) => payload[0]),
    [1, 2, 3, 4],
  );
  await again.close();
  // the folder can be removed only when the mount is gone
  spawnSync("umount", ["-l", folder.path]);
});
