/**
 * A process for lock-file.test.ts: takes the lock, is alone inside, and leaves: `release` gives it back, `die` does not.
 * Arguments: path, `release` or `die`. Prints `in` once it holds the lock; `alone` or `not alone` at its end.
 */
import { rm, writeFile } from "node:fs/promises";
import { setImmediate as tick } from "node:timers/promises";
import { acquireLock } from "../../system/lock-file.ts";

const [path, end] = process.argv.slice(2);
const inside = `${path}.inside`;
const lock = await acquireLock(path, { waitMs: 60_000 });
const alone = await writeFile(inside, "", { flag: "wx" }).then(
  () => true,
  () => false,
);
for (let turn = 0; turn < 5; turn++) await tick();
await rm(inside, { force: true });
process.stdout.write(alone ? "alone\n" : "not alone\n");
if (end === "die") process.kill(process.pid, "SIGKILL");
await lock[Symbol.asyncDispose]();
