import test from "ava";
import { SkimmerError } from "../../../system/errors.ts";
import { silentLogger } from "../../../system/logger.ts";
import { BrowserCalls } from "../../../tracker/browser-calls.ts";
import type { SeederCall } from "../../../tracker/seeder-registry.ts";
import type { TaskRow } from "../../../tracker/task-table.ts";

interface Setting {
  readonly calls: BrowserCalls;
  readonly asked: string[];
  nowMs: number;
}

/** Tasks by name; seeders `a` to `d`, of which `b` has no WebRTC and `c` fails. */
function setUp(tasks: Record<string, { state?: string; private?: boolean; seeders: readonly string[] }>): Setting {
  const setting = { asked: [] as string[], nowMs: 0 };
  const calls = new BrowserCalls({
    tasks: {
      find: (id) => {
        const task = tasks[id];
        return task && ({ task: { id, state: "final", private: false, ...task }, seeders: new Set(task.seeders) } as unknown as TaskRow);
      },
    },
    seeders: {
      find: (peerId) => ({ webrtc: peerId !== "b" }) as never,
      ask: async (seeder, call: SeederCall) => {
        setting.asked.push(`${seeder} ${call.kind}`);
        if (seeder === ("c" as string)) throw new SkimmerError("busy", "no seat");
        return {};
      },
    },
    clock: { nowMs: () => setting.nowMs },
    logger: silentLogger,
  });
  return Object.assign(setting, { calls });
}

test("BrowserCalls.call() asks two seeders that can, and counts those that came", async (t) => {
  const setting = setUp({ one: { seeders: ["b", "c", "a", "d"] } });
  t.is(await setting.calls.call("one"), 1);
  t.deepEqual(setting.asked, ["c browsers", "a browsers"]);
});

test("BrowserCalls.call() asks again only after 20 s", async (t) => {
  const setting = setUp({ one: { seeders: ["a"] } });
  t.is(await setting.calls.call("one"), 1);
  setting.nowMs = 19_999;
  t.is(await setting.calls.call("one"), 1);
  t.is(setting.asked.length, 1);
  setting.nowMs = 20_000;
  await setting.calls.call("one");
  t.is(setting.asked.length, 2);
});

test("BrowserCalls.call() asks nobody for what is unknown, private or not final", async (t) => {
  const setting = setUp({ hidden: { private: true, seeders: ["a"] }, live: { state: "live", seeders: ["a"] } });
  for (const id of ["unknown", "hidden", "live"]) t.is(await setting.calls.call(id), 0);
  t.deepEqual(setting.asked, []);
});
