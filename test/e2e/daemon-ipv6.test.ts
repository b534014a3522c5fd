/**
 * IPv6 throughout: supernode, seeder and daemons on ::1 or on both stacks; what address each is known by, and whether the
 * supernode can connect back to it. Real processes.
 */
import { join } from "node:path";
import anyTest from "ava";
import { sha256Of } from "../support/cluster.ts";
import { temporaryFolder } from "../support/folders.ts";
import { hasIPv6 } from "../support/ipv6.ts";
import { lastJson, type RunningCommand, runCommand, startCommand } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;
const test = hasIPv6() ? anyTest : anyTest.skip;

interface Report {
  readonly findings: readonly { readonly name: string; readonly status: string; readonly message: string; readonly advice?: string }[];
}

async function startAll(stack: AsyncDisposableStack, listen: { supernode: string; seeder: string }) {
  const { path: folder } = stack.use(await temporaryFolder());
  const start = async (command: "supernode" | "seeder" | "dfdaemon", args: string[]): Promise<RunningCommand> =>
    stack.use(await startCommand({ command, args: [...args, "--log-level", "warn"] }));
  const supernode = await start("supernode", ["--listen", listen.supernode, "--no-seeder", "--data", join(folder, "supernode")]);
  const port = new URL(supernode.ready.http).port;
  const seederArgs = ["--listen", listen.seeder, "--data", join(folder, "seeder"), "--upload-limit", "6MB"];
  await start("seeder", ["--supernode", supernode.ready.http, ...seederArgs]);
  return {
    port,
    daemon: (name: string, peerListen: string, url: string) =>
      start("dfdaemon", ["--home", join(folder, name), "--supernode", url, "--peer-listen", peerListen]),
    async get(name: string, url: string, from: string) {
      const output = join(folder, `${name}.out`);
      const result = await runCommand({
        command: "dfget",
        args: [from, "-o", output, "--home", join(folder, name), "--supernode", url, "--json", "--notbs"],
      });
      return { ...lastJson(result), exitCode: result.exitCode, stderr: result.stderr, output };
    },
    async doctor(name: string, url: string): Promise<Report> {
      const args = ["doctor", "--json", "--home", join(folder, name), "--supernode", url];
      return lastJson(await runCommand({ command: "dfget", args })) as unknown as Report;
    },
  };
}

test("everything on ::1: the second daemon gets most from the first", async (t) => {
  await using stack = new AsyncDisposableStack();
  await using origin = await ScriptedOrigin.start();
  const { url: source, sha256 } = origin.add("/f", seededBytes(81, 16 * MIB));
  const at = await startAll(stack, { supernode: "[::1]:0", seeder: "[::1]:0" });
  const url = `http://[::1]:${at.port}`;
  await at.daemon("a", "[::1]:0", url);
  await at.daemon("b", "[::1]:0", url);
  const first = await at.get("a", url, source);
  t.is(first.exitCode, 0, first.stderr);
  const second = await at.get("b", url, source);
  t.is(second.exitCode, 0, second.stderr);
  t.is(await sha256Of(second.output), sha256);
  t.true(second.from.peers > 8 * MIB, JSON.stringify(second.from));
  const { findings } = await at.doctor("a", url);
  const found = findings.find(({ name }) => name === "reachable");
  t.like(found, { status: "ok" });
  t.regex(found?.message ?? "", /\[::1\]:\d+/);
});

test("both stacks: daemons that know the supernode by IPv4 and by IPv6 meet; a wrong address is told by doctor", async (t) => {
  await using stack = new AsyncDisposableStack();
  await using origin = await ScriptedOrigin.start();
  const { url: source, sha256 } = origin.add("/f", seededBytes(82, 16 * MIB));
  const at = await startAll(stack, { supernode: "[::]:0", seeder: "[::]:0" });
  const v4 = `http://127.0.0.1:${at.port}`;
  const v6 = `http://[::1]:${at.port}`;
  await at.daemon("a", "[::]:0", v4);
  await at.daemon("b", "[::]:0", v6);
  // peers that find the supernode by IPv6 cannot reach this one
  await at.daemon("wrong", "127.0.0.1:0", v6);
  t.is((await at.get("a", v4, source)).exitCode, 0);
  const second = await at.get("b", v6, source);
  t.is(second.exitCode, 0, second.stderr);
  t.is(await sha256Of(second.output), sha256);
  t.true(second.from.peers > 8 * MIB, JSON.stringify(second.from));
  for (const [name, url, status] of [
    ["a", v4, "ok"],
    ["b", v6, "ok"],
    ["wrong", v6, "warning"],
  ]) {
    const found = (await at.doctor(name, url)).findings.find((finding) => finding.name === "reachable");
    t.is(found?.status, status, `${name}: ${JSON.stringify(found)}`);
    if (status === "warning") t.regex(found?.advice ?? "", /\[::\] takes both/);
  }
});
