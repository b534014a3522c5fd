/**
 * `dfdaemon --advertise`: other hosts are told that address, doctor tries it, and nobody claims one without having registered. Real processes.
 */
import test from "ava";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { freePort, lastJson, runCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;

test("a daemon is dialled at the address that it advertises", async (t) => {
  await using origin = await ScriptedOrigin.start();
  const { url, sha256 } = origin.add("/f", seededBytes(91, 4 * MIB));
  await using cluster = await Cluster.start();
  const port = await freePort();
  await cluster.startDaemon("far", ["--peer-listen", `0.0.0.0:${port}`, "--advertise", "127.0.0.9"]);
  const first = await cluster.dfget("far", url);
  t.is(first.exitCode, 0);
  const infoHash = String(first.infoHash);
  const isTold = async (): Promise<boolean> => (await peersOf(cluster.url, infoHash)).includes(`127.0.0.9:${port}`);
  await until(isTold);
  t.false((await peersOf(cluster.url, infoHash)).includes(`127.0.0.1:${port}`));
  await cluster.startDaemon("near");
  const second = await cluster.dfget("near", url);
  t.is(await sha256Of(cluster.output("near")), sha256);
  t.true(second.from.peers > 0, JSON.stringify(second.from));
  const { findings } = await doctor(cluster, "far");
  t.like(
    findings.find(({ name }) => name === "reachable"),
    { status: "ok" },
  );
});

test("doctor tells of an advertised place where nobody answers", async (t) => {
  await using cluster = await Cluster.start();
  await cluster.startDaemon("h", ["--advertise", `127.0.0.9:${await freePort()}`]);
  const found = (await doctor(cluster, "h")).findings.find(({ name }) => name === "reachable");
  t.is(found?.status, "warning");
  t.regex(found?.message ?? "", /127\.0\.0\.9:\d+: ECONNREFUSED/);
});

test("what is no address of one host is refused at the start", async (t) => {
  const { exitCode, stderr } = await runCommand({ command: "dfdaemon", args: ["--advertise", "0.0.0.0"] });
  t.is(exitCode, 2);
  t.regex(stderr, /--advertise: "0\.0\.0\.0" is no address of one host/);
});

interface Report {
  readonly findings: readonly { readonly name: string; readonly status: string; readonly message: string }[];
}

async function doctor(cluster: Cluster, name: string): Promise<Report> {
  const args = ["doctor", "--json", "--home", cluster.home(name), "--supernode", cluster.url];
  return lastJson(await runCommand({ command: "dfget", args })) as unknown as Report;
}

/** Who a stranger's announce is told of; `ip` in it counts for nothing. */
async function peersOf(supernode: string, infoHash: string): Promise<string[]> {
  const hash = infoHash.replace(/../g, "%$&");
  const id = encodeURIComponent("-SK0001-strangerpeer");
  const query = `info_hash=${hash}&peer_id=${id}&port=1&left=0&compact=1&ip=127.0.0.77&event=started`;
  const answer = Buffer.from(await (await fetch(`${supernode}/announce?${query}`)).arrayBuffer()).toString("latin1");
  const match = /5:peers(\d+):/.exec(answer);
  if (match === null) return [];
  const start = match.index + match[0].length;
  const bytes = Buffer.from(answer.slice(start, start + Number(match[1])), "latin1");
  return Array.from({ length: bytes.length / 6 }, (_, at) => {
    const peer = bytes.subarray(at * 6, at * 6 + 6);
    return `${peer.subarray(0, 4).join(".")}:${peer.readUInt16BE(4)}`;
  });
}
