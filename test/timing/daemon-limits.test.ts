/**
 * The host daemon's limits over ten seconds, with real processes: down and up, wire and origin, several tasks, shares by
 * priority, and changes in force at once. A machine that is busy with other things may miss a rate: each measurement may
 * be taken three times.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { postDownload } from "../../peer/dfget/daemon-socket.ts";
import { requestJson } from "../../system/json-http.ts";
import { Cluster } from "../support/cluster.ts";
import { lastJson, type RunningCommand, runCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;
const RATE = 8_000_000;
const MEASURE_MS = 10_000;
const TRIES = 3;

interface Row {
  readonly url: string;
  readonly name: string;
  readonly bytesHave: number;
  readonly uploadedBytes: number;
}

async function rows(daemon: RunningCommand): Promise<Row[]> {
  const { body } = await requestJson({ url: "http://dfdaemon/v1/tasks", socketPath: daemon.ready.socket });
  return (body as { tasks: Row[] }).tasks;
}

/** Bytes per second of each task (by name) over `ms`. */
async function rates(daemon: RunningCommand, field: "bytesHave" | "uploadedBytes", ms: number): Promise<Map<string, number>> {
  const before = await rows(daemon);
  const startedMs = performance.now();
  await sleep(ms);
  const after = await rows(daemon);
  const seconds = (performance.now() - startedMs) / 1000;
  const moved = after.map((row) => [row.name, row[field] - (before.find(({ name }) => name === row.name)?.[field] ?? 0)] as const);
  return new Map(moved.map(([name, bytes]) => [name, bytes / seconds]));
}

/** Begins downloads into the daemon's store; they end with `signal`. */
function begin(daemon: RunningCommand, wishes: readonly Record<string, unknown>[], signal: AbortSignal): void {
  for (const body of wishes) postDownload({ socket: daemon.ready.socket, body, signal, onEvent: () => undefined }).catch(() => undefined);
}

/** Repeats a measurement that came out wrong, so many times. */
async function measured(t: ExecutionContext, measure: () => Promise<string | undefined>): Promise<void> {
  const wrong: string[] = [];
  while (wrong.length < TRIES) {
    const found = await measure();
    if (found === undefined) return void t.pass();
    wrong.push(found);
  }
  t.fail(wrong.join("; "));
}

function sum(values: Iterable<number>): number {
  return [...values].reduce((total, value) => total + value, 0);
}

function off(what: string, actual: number, { wanted, share }: { wanted: number; share: number }): string | undefined {
  return Math.abs(actual - wanted) <= wanted * share ? undefined : `${what}: ${Math.round(actual)} instead of ${Math.round(wanted)} B/s`;
}

test("download limits: wire and origin share one rate within 3 %, tasks by priority; dfget limit holds at once", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ daemons: 1 });
  const daemon = await cluster.startDaemon("limited", ["--download-limit", String(RATE)]);
  const ending = new AbortController();
  const url = (name: string, seed: number): string => origin.add(`/${name}`, seededBytes(seed, 192 * MIB)).url;
  const wishes = [
    { url: url("wire", 1), priority: 3, notbs: true },
    { url: url("source", 2), priority: 3, pattern: "source" },
    { url: url("less", 3), priority: 4, pattern: "source" },
  ];
  begin(daemon, wishes, ending.signal);
  await until(async () => (await rows(daemon)).filter(({ bytesHave }) => bytesHave > 2 * MIB).length === 3);
  await measured(t, async () => {
    const each = await rates(daemon, "bytesHave", MEASURE_MS);
    t.log(Object.fromEntries(each));
    // priority 4 has half the share of priority 3
    const unit = RATE / 5;
    return (
      off("all", sum(each.values()), { wanted: RATE, share: 0.03 }) ??
      off("wire", each.get("wire") ?? 0, { wanted: 2 * unit, share: 0.15 }) ??
      off("source", each.get("source") ?? 0, { wanted: 2 * unit, share: 0.15 }) ??
      off("less", each.get("less") ?? 0, { wanted: unit, share: 0.15 })
    );
  });
  const home = ["--home", cluster.home("limited"), "--json"];
  const changed = await runCommand({ command: "dfget", args: ["limit", "--download", "4MB", "--priority", "4=400kB", ...home] });
  t.like(lastJson(changed), { download: 4_000_000, upload: 0, backToSource: 0, priorities: { 4: 400_000 } });
  await measured(t, async () => {
    const each = await rates(daemon, "bytesHave", 4_000);
    return (
      off("all, lower", sum(each.values()), { wanted: 4_000_000, share: 0.1 }) ??
      off("less, by its class", each.get("less") ?? 0, { wanted: 400_000, share: 0.25 })
    );
  });
  ending.abort();
});

test("upload limits: one rate for all peers and torrents within 3 %", async (t) => {
  await using cluster = await Cluster.start({ supernodeArgs: ["--no-seeder"] });
  const source = await cluster.startDaemon("source", ["--upload-limit", String(RATE)]);
  const takers = [await cluster.startDaemon("a"), await cluster.startDaemon("b")];
  const ending = new AbortController();
  const wishes: Record<string, unknown>[] = [];
  for (const name of ["one", "two"]) {
    const file = join(cluster.folder, name);
    await writeFile(file, seededBytes(name.length, 128 * MIB));
    const args = ["seed", file, "-o", `${file}.torrent`, "--home", cluster.home("source"), "--json"];
    const seeded = await runCommand({ command: "dfget", args });
    t.is(seeded.exitCode, 0, seeded.stderr);
    wishes.push({ torrent: (await readFile(`${file}.torrent`)).toString("base64"), peers: [source.ready.peer] });
  }
  begin(takers[0], wishes, ending.signal);
  begin(takers[1], wishes, ending.signal);
  await until(async () => (await rows(source)).filter(({ uploadedBytes }) => uploadedBytes > MIB).length === 2);
  await measured(t, async () => {
    const each = await rates(source, "uploadedBytes", MEASURE_MS);
    t.log(Object.fromEntries(each));
    const one = off("one of two torrents", each.get("one") ?? 0, { wanted: RATE / 2, share: 0.1 });
    return off("all", sum(each.values()), { wanted: RATE, share: 0.03 }) ?? one;
  });
  ending.abort();
});
