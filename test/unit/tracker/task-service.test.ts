/** What the supernode makes of what seeders tell: swarms that outlive an eviction, and private tasks that stay unnamed. */
import { join } from "node:path";
import test from "ava";
import { realClock } from "../../../system/clock.ts";
import { silentLogger } from "../../../system/logger.ts";
import type { InfoHash, PeerId, TaskId } from "../../../torrents/ids.ts";
import { encodeLiveInfo, liveInfoHash } from "../../../torrents/live-info.ts";
import type { SeederTask } from "../../../torrents/seeder-link.ts";
import { HostClaims } from "../../../tracker/announce/host-claims.ts";
import { Passkeys } from "../../../tracker/passkeys.ts";
import type { SeederRegistry } from "../../../tracker/seeder-registry.ts";
import { makeAsk } from "../../../tracker/swarm/ask.ts";
import { SwarmStore } from "../../../tracker/swarm/swarm-store.ts";
import { TaskService } from "../../../tracker/task-service.ts";
import { TaskTable } from "../../../tracker/task-table.ts";
import { temporaryFolder } from "../../support/folders.ts";

const SEEDER = "2d5353303130302d000000000000000000000001" as PeerId;
const OTHER_SEEDER = "2d5353303130302d000000000000000000000002" as PeerId;
const DAEMON = "2d534b303130302d000000000000000000000003" as PeerId;

function taskOf(digit: string, more: Partial<SeederTask> = {}): SeederTask {
  const liveInfo = encodeLiveInfo({
    name: "f.bin",
    lengthBytes: 5,
    pieceLengthBytes: 262_144,
    key: Buffer.alloc(32, 1),
    task: Buffer.from(digit.repeat(64), "hex"),
  });
  return {
    id: digit.repeat(64) as TaskId,
    url: "http://user:pw@host/f.bin?token=t&part=1",
    name: "f.bin",
    state: "final",
    lengthBytes: 5,
    pieceLengthBytes: 262_144,
    piecesReady: 1,
    infoHash: liveInfoHash(liveInfo),
    liveInfo: liveInfo.toString("base64"),
    validators: {},
    private: false,
    ...more,
  };
}

async function setUp() {
  const folder = await temporaryFolder();
  const swarms = new SwarmStore({ expireMs: () => 60_000 });
  const tasks = new TaskTable({
    path: join(folder.path, "tasks.json"),
    swarms,
    passkeys: new Passkeys(Buffer.alloc(32)),
    logger: silentLogger,
  });
  await tasks.load();
  const seeders = {
    find: (peerId: string) => ({ peerId: peerId as PeerId, host: "127.0.0.1", address: "127.0.0.1", port: Number(peerId.at(-1)) }),
  } as unknown as SeederRegistry;
  const service = new TaskService({
    tasks,
    seeders,
    swarms,
    claims: new HostClaims(Buffer.alloc(32)),
    clock: realClock,
    random: Math.random,
  });
  return {
    folder: folder.path,
    swarms,
    tasks,
    service,
    tell(task: SeederTask, seeder: PeerId) {
      tasks.update(task, seeder);
      service.addSeederTo(task, seeder);
    },
    announce: (infoHash: InfoHash) => {
      const ask = makeAsk({ infoHash, peerId: DAEMON, ip: "127.0.0.1", port: 9, left: 0 });
      return ask && swarms.announce(ask, realClock.nowMs(), Math.random);
    },
    async [Symbol.asyncDispose]() {
      await tasks.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test("onGone(evicted): the task stays while another seeder has it", async (t) => {
  await using at = await setUp();
  const task = taskOf("1");
  for (const seeder of [SEEDER, OTHER_SEEDER]) at.tell(task, seeder);
  at.service.onGone(task.id, SEEDER, "evicted");
  t.is(at.service.get(task.id).seeds, 1);
  t.deepEqual([...(at.tasks.find(task.id)?.seeders ?? [])], [OTHER_SEEDER]);
  at.service.onGone(task.id, OTHER_SEEDER, "evicted");
  t.throws(() => at.service.get(task.id), { message: /no task/ });
  t.false(at.swarms.has(task.infoHash));
});

test("onGone(evicted): a swarm that somebody is in lives on", async (t) => {
  await using at = await setUp();
  const task = taskOf("1");
  at.tell(task, SEEDER);
  at.announce(task.infoHash);
  at.service.onGone(task.id, SEEDER, "evicted");
  t.is(at.service.get(task.id).seeds, 1, "the daemon");
  t.is(at.announce(task.infoHash)?.complete, 1);
});

test("onGone(deleted): task and swarm go, whoever is in it", async (t) => {
  await using at = await setUp();
  const task = taskOf("1");
  at.tell(task, SEEDER);
  at.announce(task.infoHash);
  at.service.onGone(task.id, SEEDER, "deleted");
  t.throws(() => at.service.get(task.id), { message: /no task/ });
  t.false(at.swarms.has(task.infoHash));
});

test("what is shown of a task has no credentials in it", async (t) => {
  await using at = await setUp();
  const error = { code: "origin_failed", message: "http://user:pw@host/f.bin?token=t broke" };
  at.tell(taskOf("1", { state: "failed", error }), SEEDER);
  const [summary] = at.service.list({ limit: 10, offset: 0 });
  t.is(summary.url, "http://host/f.bin?part=1");
  t.is(summary.error?.message, "http://host/f.bin broke");
});

test("a private task is not listed, found, remembered, or kept with its content", async (t) => {
  await using at = await setUp();
  const task = taskOf("2", { private: true, inline: "c2VjcmV0" });
  at.tell(task, SEEDER);
  const request = { url: "http://host/f.bin", headers: {} };
  at.tasks.remember(request, task.id);
  t.deepEqual(at.service.list({ limit: 10, offset: 0 }), []);
  for (const name of [task.id, task.infoHash]) t.throws(() => at.service.get(name), { message: /no task/ });
  t.is(at.tasks.findRequest(request), undefined);
  t.is(at.tasks.find(task.id)?.task.inline, undefined);
});
