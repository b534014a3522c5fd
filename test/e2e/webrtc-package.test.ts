/**
 * Skimmer without the packages for WebRTC, as it is installed: everything else works, and who wants it is told what to install.
 */
import test from "ava";
import { callApi } from "../support/api.ts";
import { temporaryFolder } from "../support/folders.ts";
import { runCommand, startCommand } from "../support/processes.ts";

/** A module that hides them from the process and its children. */
const HIDE = `import { registerHooks } from "node:module";
registerHooks({ resolve(name, context, next) { if (/^(webtorrent|node-datachannel)$/.test(name)) throw new Error("Cannot find package"); return next(name, context); } });`;
const WITHOUT = { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(HIDE)}"` };

const COMMANDS = [
  { command: "seeder", options: (folder: string) => ["--data", folder, "--listen", "127.0.0.1:0"] },
  { command: "dfdaemon", options: (folder: string) => ["--home", folder, "--peer-listen", "127.0.0.1:0"] },
] as const;

for (const { command, options } of COMMANDS) {
  test(`${command} --webrtc says what to install`, async (t) => {
    await using folder = await temporaryFolder();
    const args = ["--webrtc", "--supernode", "http://127.0.0.1:1", ...options(folder.path)];
    const { exitCode, stderr } = await runCommand({ command, args, env: WITHOUT });
    t.is(exitCode, 2);
    t.regex(stderr, /node-datachannel cannot be loaded: Cannot find package\nInstall it, or webtorrent 3/);
  });
}

test("a supernode without the package offers no download in the browser", async (t) => {
  await using folder = await temporaryFolder();
  const args = ["--no-seeder", "--data", folder.path, "--listen", "127.0.0.1:0"];
  await using supernode = await startCommand({ command: "supernode", args, env: WITHOUT });
  const { http } = supernode.ready;
  t.is((await fetch(`${http}/assets/webtorrent.js`)).status, 404);
  const { body } = await callApi(`${http}/api/v1/tasks/${"a".repeat(64)}/browsers`);
  t.deepEqual(body, { bundle: false, seeders: 0 });
});
