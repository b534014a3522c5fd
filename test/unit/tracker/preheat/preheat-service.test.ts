/** PreheatService against a scripted registry, with seeders that the test plays. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { parseDockerConfig } from "../../../../registry/docker-config.ts";
import { realClock } from "../../../../system/clock.ts";
import { SkimmerError } from "../../../../system/errors.ts";
import { silentLogger } from "../../../../system/logger.ts";
import type { TaskId } from "../../../../torrents/ids.ts";
import type { SeederTask } from "../../../../torrents/seeder-link.ts";
import type { TaskRequest } from "../../../../torrents/task-api.ts";
import { taskIdOf } from "../../../../torrents/task-identity.ts";
import { parsePreheat } from "../../../../tracker/preheat/parse-preheat.ts";
import { isOpen, type PreheatJob } from "../../../../tracker/preheat/preheat-job.ts";
import { PreheatService } from "../../../../tracker/preheat/preheat-service.ts";
import { Slots } from "../../../../tracker/preheat/slots.ts";
import { TaskWatch } from "../../../../tracker/preheat/task-watch.ts";
import { warmTask } from "../../../../tracker/preheat/warm-task.ts";
import { temporaryFolder } from "../../../support/folders.ts";
import { until } from "../../../support/processes.ts";
import { ScriptedRegistry } from "../../../support/scripted-registry.ts";

/** Only what preheats look at. */
function taskOf(request: TaskRequest, state: SeederTask["state"], more: Partial<SeederTask> = {}): SeederTask {
  const id = taskIdOf({ request, lengthBytes: 5, validators: {} });
  return { id, url: request.url, state, lengthBytes: 5, piecesReady: state === "final" ? 1 : 0, ...more } as SeederTask;
}

interface Setting extends AsyncDisposable {
  readonly folder: string;
  readonly asked: TaskRequest[];
  service: PreheatService;
  /** What the seeder answers. */
  answer: (request: TaskRequest) => SeederTask | Promise<SeederTask>;
  restart(): Promise<void>;
}

async function start(credentials = '{"auths":{}}'): Promise<Setting> {
  const folder = await temporaryFolder();
  const asked: TaskRequest[] = [];
  const open = (): Promise<PreheatService> =>
    PreheatService.open({
      data: folder.path,
      credentials: parseDockerConfig(credentials),
      resolve: async (request) => {
        asked.push(request);
        return setting.answer(request);
      },
      clock: realClock,
      logger: silentLogger,
    });
  const setting: Setting = {
    folder: folder.path,
    asked,
    answer: (request) => taskOf(request, "final"),
    service: undefined as unknown as PreheatService,
    restart: async () => {
      await setting.service[Symbol.asyncDispose]();
      setting.service = await open();
    },
    [Symbol.asyncDispose]: async () => {
      await setting.service[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
  setting.service = await open();
  return setting;
}

const file = (url = "http://h/f") => parsePreheat({ url });
const ended = (job: PreheatJob): Promise<void> => until(() => !isOpen(job));

test("PreheatService runs a file to its end, and again when it is asked for again", async (t) => {
  await using setting = await start();
  const first = await setting.service.create(file());
  await ended(first);
  t.like(first, { state: "success", files: { total: 1, done: 1, failed: 0 }, lengthBytes: 5 });
  const second = await setting.service.create(file());
  t.not(second.id, first.id);
  await ended(second);
  t.is(setting.asked.length, 2);
  t.like(setting.service.counts(), { success: 2, failed: 0, running: 0, waiting: 0 });
});

test("PreheatService waits for what the seeder tells, and answers the same job while it is under way", async (t) => {
  await using setting = await start();
  setting.answer = (request) => taskOf(request, "live");
  const job = await setting.service.create(file());
  t.is(await setting.service.create(file()), job);
  await until(() => setting.asked.length === 1);
  t.is(job.state, "running");
  setting.service.watch.told(taskOf({ url: "http://h/other", headers: {} }, "final"));
  t.is(job.state, "running");
  await until(() => {
    setting.service.watch.told(taskOf(setting.asked[0], "final"));
    return !isOpen(job);
  });
  t.is(job.state, "success");
});

test("PreheatService tells why a preheat failed, and does not ask twice for what is not there", async (t) => {
  await using setting = await start();
  setting.answer = () => Promise.reject(new SkimmerError("origin_not_found", "gone", { status: 404 }));
  const job = await setting.service.create(file());
  await ended(job);
  t.like(job, { state: "failed", error: { code: "origin_not_found", message: "gone", status: 404 } });
  t.is(setting.asked.length, 1);
});

test("PreheatService.create() of an image asks for each configuration and layer, with the registry's token", async (t) => {
  await using registry = await ScriptedRegistry.start({ auth: "bearer" });
  await using setting = await start();
  const image = registry.addImage({ repository: "team/app", tag: "v1", layers: [Buffer.from("one"), Buffer.from("two")] });
  const job = await setting.service.create(parsePreheat({ image: `${registry.host}/team/app:v1`, username: "user", password: "pass" }));
  await ended(job);
  t.like(job, { state: "success", files: { total: 3, done: 3, failed: 0 }, private: true });
  t.deepEqual(
    new Set(setting.asked.map(({ url }) => url)),
    new Set(image.blobs.map((digest) => `${registry.base}/v2/team/app/blobs/${digest}`)),
  );
  t.deepEqual(new Set(setting.asked.map(({ digest }) => digest)), new Set(image.blobs));
  const [token] = registry.tokens.keys();
  for (const { headers } of setting.asked) t.deepEqual(headers, { authorization: `Bearer ${token}` });
  t.is(registry.count(/token/), 1);
  t.deepEqual(setting.service.list({ limit: 10, offset: 0 }), []);
  t.is(setting.service.get(job.id), job);
});

test("PreheatService uses the supernode's credentials for webhooks only, also for a single layer", async (t) => {
  await using registry = await ScriptedRegistry.start({ auth: "bearer" });
  await using setting = await start(JSON.stringify({ auths: { [registry.host]: { username: "user", password: "pass" } } }));
  const { digest } = registry.addBlob("team/app", Buffer.from("one"));
  const spec = file(`${registry.base}/v2/team/app/blobs/${digest}`);
  const stranger = await setting.service.create(spec);
  await ended(stranger);
  t.like(stranger, { state: "failed", error: { code: "origin_refused" } });
  t.is(setting.asked.length, 0);
  const job = await setting.service.create({ ...spec, ownCredentials: true });
  await ended(job);
  t.is(job.state, "success");
  t.true(job.private);
  t.true(registry.tokens.has(setting.asked[0].headers.authorization.replace("Bearer ", "")));
});

test("PreheatService: one layer that fails makes the job fail after the others are through", async (t) => {
  await using registry = await ScriptedRegistry.start();
  await using setting = await start();
  const image = registry.addImage({ repository: "team/app", tag: "v1", layers: [Buffer.from("one"), Buffer.from("two")] });
  setting.answer = (request) => {
    if (request.digest === image.blobs[1]) throw new SkimmerError("disk_full", "no room");
    return taskOf(request, "final");
  };
  const job = await setting.service.create(parsePreheat({ image: `${registry.host}/team/app:v1` }));
  await ended(job);
  t.like(job, { state: "failed", files: { total: 3, done: 2, failed: 1 }, error: { code: "disk_full" } });
});

test("PreheatService.delete() cancels what runs and forgets what has ended", async (t) => {
  await using setting = await start();
  setting.answer = (request) => taskOf(request, "live");
  const job = await setting.service.create(file());
  await until(() => job.state === "running");
  await setting.service.delete(job.id);
  t.is(job.state, "cancelled");
  t.is(setting.service.get(job.id), job);
  await setting.service.delete(job.id);
  t.throws(() => setting.service.get(job.id), { message: /no preheat/ });
  await t.throwsAsync(setting.service.delete("1"), { message: /no preheat/ });
  // cancelled for good: it may be made again
  t.not(await setting.service.create(file()), job);
});

test("PreheatService goes on with unfinished jobs after a restart, and keeps the ended ones", async (t) => {
  await using setting = await start();
  const done = await setting.service.create(file("http://h/done"));
  await ended(done);
  setting.answer = (request) => taskOf(request, "live");
  const spec = parsePreheat({ url: "http://h/long", headers: { Authorization: "Bearer secret" } });
  const job = await setting.service.create(spec);
  await until(() => job.state === "running");
  const path = join(setting.folder, "preheats.json");
  t.is((await stat(path)).mode & 0o777, 0o600);
  t.true((await readFile(path, "utf8")).includes("secret"));
  setting.answer = (request) => taskOf(request, "final");
  await setting.restart();
  const again = setting.service.get(job.id);
  t.not(again, job);
  await ended(again);
  t.is(again.state, "success");
  t.is(setting.asked.at(-1)?.headers.authorization, "Bearer secret");
  t.is(setting.service.get(done.id).state, "success");
  await setting.restart();
  t.is(setting.service.get(job.id).state, "success");
  t.false((await readFile(path, "utf8")).includes("secret"));
});

test("PreheatService starts with a damaged file, and keeps it aside", async (t) => {
  await using setting = await start();
  const path = join(setting.folder, "preheats.json");
  await setting.service[Symbol.asyncDispose]();
  await writeFile(path, "{");
  await setting.restart();
  t.deepEqual(setting.service.list({ limit: 10, offset: 0 }), []);
  t.is(await readFile(`${path}.damaged`, "utf8"), "{");
});

test("PreheatService runs a few jobs at once, and refuses where too many wait", async (t) => {
  await using setting = await start();
  setting.answer = (request) => taskOf(request, "live");
  for (let index = 0; index < 12; index++) await setting.service.create(file(`http://h/${index}`));
  await until(() => setting.asked.length === 8);
  t.like(setting.service.counts(), { running: 8, waiting: 4 });
  setting.service.watch.told(taskOf(setting.asked[0], "final"));
  await until(() => setting.asked.length === 9);
  t.like(setting.service.counts(), { running: 8, waiting: 3, success: 1 });
  // 11 are open; 1000 may be
  const more = await Promise.allSettled(Array.from({ length: 1000 }, (_, index) => setting.service.create(file(`http://h/more/${index}`))));
  t.deepEqual(
    more.map(({ status }) => status === "fulfilled"),
    Array.from({ length: 1000 }, (_, index) => index < 989),
  );
  t.is((more[999] as PromiseRejectedResult).reason.code, "busy");
});

const request: TaskRequest = { url: "http://h/f", headers: {} };

test("warmTask() tries again where that may help, with a new request each time, and begins to count anew with each new piece", async (t) => {
  const watch = new TaskWatch();
  const signal = AbortSignal.timeout(30_000);
  const answers = [
    () => Promise.reject(new SkimmerError("no_seeder", "away")),
    () => Promise.reject(new SkimmerError("timeout", "late")),
    () =>
      Promise.resolve(
        taskOf(request, "failed", { piecesReady: 3, error: { code: "origin_refused", message: "token ran out", status: 401 } }),
      ),
    () =>
      Promise.resolve(
        taskOf(request, "failed", { piecesReady: 5, error: { code: "origin_refused", message: "token ran out", status: 401 } }),
      ),
    () => Promise.reject(new SkimmerError("origin_failed", "503", { status: 503 })),
    () => Promise.resolve(taskOf(request, "final")),
  ];
  let made = 0;
  const task = await warmTask({
    request: async () => ({ ...request, headers: { try: String(++made) } }),
    resolve: () => (answers.shift() as (typeof answers)[0])(),
    watch,
    signal,
    firstDelayMs: 1,
  });
  t.is(task.state, "final");
  t.is(made, 6);
});

test("warmTask() gives up on a refusal at the start, on a deleted task, and after a few tries", async (t) => {
  const watch = new TaskWatch();
  const attempt = (answer: () => Promise<SeederTask>) => {
    let tries = 0;
    const resolve = (): Promise<SeederTask> => {
      tries++;
      return answer();
    };
    const warmed = warmTask({ request: async () => request, resolve, watch, signal: AbortSignal.timeout(30_000), firstDelayMs: 1 });
    return warmed.then(
      () => undefined,
      (error: SkimmerError) => [error.code, tries],
    );
  };
  t.deepEqual(await attempt(() => Promise.reject(new SkimmerError("origin_refused", "no", { status: 401 }))), ["origin_refused", 1]);
  t.deepEqual(await attempt(() => Promise.reject(new SkimmerError("origin_unreachable", "no"))), ["origin_unreachable", 4]);
  const deleted = attempt(async () => taskOf(request, "live"));
  const { id } = taskOf(request, "live");
  const timer = setInterval(() => watch.gone(id as TaskId), 1);
  t.deepEqual(await deleted, ["cancelled", 1]);
  clearInterval(timer);
});

test("warmTask() asks again when a seeder goes away", async (t) => {
  const watch = new TaskWatch();
  let tries = 0;
  const warmed = warmTask({
    request: async () => request,
    resolve: async () => taskOf(request, ++tries === 1 ? "live" : "final"),
    watch,
    signal: AbortSignal.timeout(30_000),
  });
  const timer = setInterval(() => watch.lost(), 1);
  t.is((await warmed).state, "final");
  t.is(tries, 2);
  clearInterval(timer);
});

test("Slots hands out as many places as it has, in order, also when some who wait leave", async (t) => {
  const slots = new Slots(1);
  const { signal } = new AbortController();
  const first = await slots.take(signal);
  const leaving = new AbortController();
  const left = slots.take(leaving.signal);
  const order: number[] = [];
  const second = slots.take(signal).then((slot) => (order.push(2), slot));
  const third = slots.take(signal).then((slot) => (order.push(3), slot));
  leaving.abort(new Error("left"));
  await t.throwsAsync(left, { message: "left" });
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  t.deepEqual(order, [2, 3]);
  await t.throwsAsync(slots.take(leaving.signal), { message: "left" });
});
