/** What a download does when nothing comes, and what it counts as coming. */
import test from "ava";
import type { DownloadRequest } from "../../../peer/daemon/daemon-api.ts";
import type { OpenTask } from "../../../peer/daemon/download-plan.ts";
import { FLOW_PAUSE_MS, FlowWatch } from "../../../peer/daemon/flow-watch.ts";
import { parseDownloadRequest } from "../../../peer/daemon/parse-download-request.ts";
import { QUIET_MS, type Renew, TaskRenewal } from "../../../peer/daemon/task-renewal.ts";
import { SkimmerError } from "../../../system/errors.ts";
import { silentLogger } from "../../../system/logger.ts";
import { FakeTorrent } from "./fake-torrent.ts";

const REQUEST: DownloadRequest = parseDownloadRequest({ url: "http://h/f" });
const SEEDER = { host: "10.0.0.9", port: 8001, seeder: true };

/** A renewal whose supernode answers so; `hopeless` is what it was told. */
function renewing(renew: Renew) {
  const torrent = new FakeTorrent();
  const renewal = new TaskRenewal({ torrent: torrent.asTorrent, renew, logger: silentLogger });
  const hopeless: SkimmerError[] = [];
  const check = async (nowMs: number, quietMs = QUIET_MS): Promise<void> => {
    renewal.check({ nowMs, quietMs }, REQUEST, (error) => hopeless.push(error));
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };
  return { torrent, renewal, hopeless, check };
}

const task = (infoHash: string): OpenTask => ({ entry: { infoHash }, peers: [SEEDER] }) as unknown as OpenTask;

test("TaskRenewal asks when nothing has come for a while, with growing pauses, and dials where the seeder is now", async (t) => {
  const asked: number[] = [];
  let nowMs = 0;
  const { torrent, check } = renewing(async () => {
    asked.push(nowMs);
    return task("ab".repeat(20));
  });
  await check(0, QUIET_MS - 1);
  t.deepEqual(asked, []);
  for (; nowMs <= 60_000; nowMs += 200) await check(nowMs);
  t.deepEqual(asked.slice(0, 5), [0, 2_000, 6_000, 14_000, 29_000]);
  t.deepEqual(torrent.peers[0], SEEDER);
  // something came in between: the pauses begin anew, but never two questions at once
  const before = asked.length;
  await check(nowMs, 0);
  for (const end = nowMs + 20_000; nowMs <= end; nowMs += 200) await check(nowMs);
  t.true(asked.length > before + 2);
});

test("TaskRenewal tells what waiting does not mend, and keeps what may pass", async (t) => {
  for (const [code, isHopeless] of [
    ["origin_not_found", true],
    ["origin_refused", true],
    ["origin_failed", false],
    ["no_seeder", false],
  ] as const) {
    const { check, hopeless, renewal } = renewing(async () => {
      throw new SkimmerError(code, "as the supernode says");
    });
    await check(0);
    t.is(hopeless.length, isHopeless ? 1 : 0, code);
    t.is(renewal.error?.code, code);
  }
  const changed = renewing(async () => task("cd".repeat(20)));
  await changed.check(0);
  t.is(changed.hopeless[0].code, "origin_changed", "the supernode has another version now");
});

test("TaskRenewal.stop() ends a question that is under way, and its answer counts for nothing", async (t) => {
  const answer = Promise.withResolvers<OpenTask>();
  let signal: AbortSignal | undefined;
  const { check, renewal, torrent } = renewing((_, given) => {
    signal = given;
    return answer.promise;
  });
  await check(0);
  await check(10_000);
  renewal.stop();
  t.true(signal?.aborted);
  answer.resolve(task("ab".repeat(20)));
  await answer.promise;
  t.deepEqual(torrent.peers, []);
});

test("FlowWatch tells a swarm that flows from one that pauses, and from an origin", (t) => {
  const watch = new FlowWatch();
  const from = { origin: 0, seeder: 0, peers: 0, cache: 500 };
  watch.begin({ from });
  watch.observe({ from, downloadBytesPerSecond: 0 }, 0);
  t.is(watch.lastBytesAtMs, undefined, "what the cache holds did not come now");
  watch.observe({ from: { ...from, seeder: 100 }, downloadBytesPerSecond: 0 }, 1000);
  t.is(watch.lastBytesAtMs, 1000);
  t.is(watch.flowingSinceMs, 1000);
  watch.observe({ from: { ...from, seeder: 100 }, downloadBytesPerSecond: 0 }, 1000 + FLOW_PAUSE_MS);
  t.is(watch.flowingSinceMs, 1000, "a pause");
  watch.observe({ from: { ...from, seeder: 100, origin: 100 }, downloadBytesPerSecond: 0 }, 1001 + FLOW_PAUSE_MS);
  t.is(watch.flowingSinceMs, undefined);
  t.is(watch.lastBytesAtMs, 1001 + FLOW_PAUSE_MS, "the origin's bytes are bytes");
});
