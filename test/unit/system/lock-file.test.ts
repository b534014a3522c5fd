import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { acquireLock } from "../../../system/lock-file.ts";
import { temporaryFolder } from "../../support/folders.ts";

const TAKER = fileURLToPath(new URL("../../support/lock-taker.ts", import.meta.url));
/** More than Linux gives to a process. */
const NO_PID = 2 ** 23;

/** Standard output of a process that takes the lock and ends. */
function take(path: string, end: "release" | "die"): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [TAKER, path, end], { timeout: 90_000 }, (_error, stdout, stderr) => resolve(stdout.trim() || stderr));
  });
}

test("acquireLock() lets one of 50 processes in at a time, though every third dies with the lock", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "lock");
  const ends = Array.from({ length: 50 }, (_, index) => take(path, index % 3 === 0 ? "die" : "release"));
  t.deepEqual(
    await Promise.all(ends),
    ends.map(() => "alone"),
  );
  await using _ = await acquireLock(path, { waitMs: 1000 });
  t.deepEqual(await readdir(folder.path), ["lock"], "nothing but the lock is left");
});

test("acquireLock() refuses while it is held, also in the same process, and allows after release", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "lock");
  {
    await using _ = await acquireLock(path);
    const error = await t.throwsAsync(acquireLock(path), { message: new RegExp(`locked by process ${process.pid}$`) });
    t.like(error, { code: "already_running" });
    t.regex(await readFile(path, "utf8"), new RegExp(`^${process.pid} \\d*\n$`));
  }
  await using _ = await acquireLock(path);
  t.pass();
});

test("acquireLock() lets one of many attempts of one process in", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "lock");
  await writeFile(path, `${NO_PID} 1\n`);
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => acquireLock(path, { waitMs: 200 })));
  t.is(results.filter(({ status }) => status === "fulfilled").length, 1);
});

const STALE = {
  "a dead process": `${NO_PID} 1\n`,
  "an earlier process with a pid that is in use again": `${process.pid} 1\n`,
  "a power loss in the middle of writing": "",
};
for (const [whose, text] of Object.entries(STALE)) {
  (process.platform === "linux" ? test : test.skip)(`acquireLock() recovers the lock of ${whose}`, async (t) => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "lock");
    await writeFile(path, text);
    await using _ = await acquireLock(path);
    t.true((await readFile(path, "utf8")).startsWith(`${process.pid} `));
  });
}

test("acquireLock() recovers where a process died while it removed a stale lock", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "lock");
  await writeFile(path, `${NO_PID} 1\n`);
  await mkdir(`${path}.break`);
  await writeFile(join(`${path}.break`, `${NO_PID} 2`), "");
  await using _ = await acquireLock(path, { waitMs: 20_000 });
  t.deepEqual(await readdir(folder.path), ["lock"]);
});

test("acquireLock() ends its waiting when it is told to", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "lock");
  await using _ = await acquireLock(path);
  const ending = new AbortController();
  const waiting = acquireLock(path, { waitMs: 60_000, signal: ending.signal });
  ending.abort();
  await t.throwsAsync(waiting, { name: "AbortError" });
});
