/** A daemon that takes another one's place, as `npm start` does with one that dfget left behind. */
import test from "ava";
import { temporaryFolder } from "../support/folders.ts";
import { runCommand, startCommand } from "../support/processes.ts";

test("dfdaemon --take-over has the running daemon stop; without it the second one says who runs", async (t) => {
  await using folder = await temporaryFolder();
  const args = ["--home", folder.path, "--peer-listen", "127.0.0.1:0", "--log-level", "warn"];
  const first = await startCommand({ command: "dfdaemon", args });
  t.teardown(() => first.stop());
  const refused = await runCommand({ command: "dfdaemon", args });
  t.is(refused.exitCode, 41, refused.stderr);
  t.regex(refused.stderr, new RegExp(`process ${first.pid}`));
  await using second = await startCommand({ command: "dfdaemon", args: [...args, "--take-over"] });
  t.not(second.pid, first.pid);
  t.is(second.ready.socket, first.ready.socket);
  t.is(await first.stop(), 0);
});
