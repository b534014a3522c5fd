/** Planner: which way a request goes, over a fake supernode client and a fake origin. */
import test from "ava";
import type { Probe } from "../../../origin/types.ts";
import type { DownloadRequest } from "../../../peer/daemon/daemon-api.ts";
import { type Plan, Planner } from "../../../peer/daemon/download-plan.ts";
import { makeLocalTorrent } from "../../../peer/daemon/local-torrent.ts";
import { parseDownloadRequest } from "../../../peer/daemon/parse-download-request.ts";
import type { Registration, SupernodeClient } from "../../../peer/daemon/supernode-client.ts";
import { TaskIndex } from "../../../peer/daemon/task-index.ts";
import { SkimmerError } from "../../../system/errors.ts";
import { generateClusterKey } from "../../../torrents/cluster-key.ts";
import type { TaskId } from "../../../torrents/ids.ts";
import type { TaskAnswer } from "../../../torrents/task-api.ts";
import { temporaryFolder } from "../../support/folders.ts";

const PROBE: Probe = { lengthBytes: 1000, ranges: true, validators: { etag: '"1"' }, name: "f", cacheControl: "" };
const NONE: Registration = { kind: "none", failures: ["http://s: ECONNREFUSED"] };

function answer(change: Partial<TaskAnswer> & { lengthBytes?: number } = {}): Registration {
  const lengthBytes = change.lengthBytes ?? 1000;
  const { infoHash, liveInfo, geometry } = makeLocalTorrent({
    request: { url: "http://h/f" },
    name: "f",
    lengthBytes,
    validators: {},
    key: generateClusterKey(),
  });
  const base = {
    id: "ab".repeat(32) as TaskId,
    state: "live",
    name: "f",
    ...geometry,
    infoHash,
    liveInfo: liveInfo.toString("base64"),
    peers: [],
    trackers: [],
  } as const;
  return { kind: "answer", supernode: "http://s", answer: { ...base, validators: PROBE.validators, unvalidated: false, ...change } };
}

/** Plans one request with these answers; `probe` may be a failure. */
async function plan(input: {
  registration?: Registration;
  probe?: Partial<Probe> | Error;
  request?: object;
  straight?: boolean;
}): Promise<Plan> {
  await using folder = await temporaryFolder();
  const planner = new Planner({
    supernodes: ["http://s"],
    client: { register: async () => input.registration ?? NONE } as unknown as SupernodeClient,
    origin: {
      probe: async () => {
        if (input.probe instanceof Error) throw input.probe;
        return { ...PROBE, ...input.probe };
      },
      read: () => Promise.reject(new Error("not read here")),
      close: async () => undefined,
    },
    index: await TaskIndex.open(folder.path),
    key: generateClusterKey(),
    epochMs: () => 0,
    clock: { nowMs: () => 0 },
    fetchInfos: async () => Promise.reject(new Error("not asked for")),
  });
  const request: DownloadRequest = parseDownloadRequest({ url: "http://h/f", ...input.request });
  return planner.plan(request, { straight: input.straight ?? false, signal: new AbortController().signal });
}

test("Planner takes the supernode's torrent, its inline content, or nothing at all for an empty file", async (t) => {
  t.like(await plan({ registration: answer() }), { kind: "torrent", task: { alone: undefined, entry: { local: false } } });
  t.like(await plan({ registration: answer({ inline: Buffer.alloc(1000).toString("base64") }) }), {
    kind: "inline",
    bytes: Buffer.alloc(1000),
  });
  t.like(await plan({ registration: answer({ inline: "AAAA" }) }), { kind: "torrent" });
  t.like(await plan({ registration: answer({ lengthBytes: 0, inline: "" }) }), { kind: "empty" });
});

test("Planner without a supernode goes by what the origin says", async (t) => {
  t.like(await plan({}), { kind: "torrent", task: { alone: "no supernode answers", entry: { local: true, volatile: false } } });
  t.like(await plan({ probe: { validators: {} } }), { task: { entry: { volatile: true } } });
  t.like(await plan({ probe: { validators: {} }, request: { digest: `sha256:${"ab".repeat(32)}` } }), {
    task: { entry: { volatile: false } },
  });
  t.like(await plan({ probe: { lengthBytes: undefined } }), { kind: "spool" });
  t.like(await plan({ probe: { lengthBytes: 0 } }), { kind: "empty" });
  await t.throwsAsync(plan({ probe: new SkimmerError("origin_refused", "403") }), { code: "origin_refused" });
});

test("Planner obeys notbs", async (t) => {
  await t.throwsAsync(plan({ request: { notbs: true } }), { code: "no_supernode", message: /ECONNREFUSED/ });
});

test("Planner checks an unvalidated answer with the origin", async (t) => {
  const registration = answer({ unvalidated: true });
  t.like(await plan({ registration }), { kind: "torrent", warnings: [], task: { alone: undefined } });
  const changed = await plan({ registration, probe: { validators: { etag: '"2"' } } });
  t.like(changed, { kind: "torrent", warnings: [], task: { alone: "the supernode has an older version than the origin" } });
  const unreachable = await plan({ registration, probe: new SkimmerError("origin_unreachable", "down") });
  t.like(unreachable, { kind: "torrent", task: { alone: undefined } });
  t.is(unreachable.warnings.length, 1);
  await t.throwsAsync(plan({ registration, probe: new SkimmerError("origin_refused", "403") }), { code: "origin_refused" });
  await t.throwsAsync(plan({ registration, probe: { validators: { etag: '"2"' } }, request: { notbs: true } }), { code: "origin_changed" });
});

test("Planner passes over the supernodes when the origin changed under a download", async (t) => {
  t.like(await plan({ registration: answer(), straight: true }), {
    kind: "torrent",
    task: { alone: "the content changed at the origin" },
  });
  t.like(await plan({ registration: answer(), request: { pattern: "source" } }), { kind: "torrent", task: { alone: "as asked for" } });
});

test("Planner takes seeders only where the pattern is cdn", async (t) => {
  const peers = [
    { host: "s", port: 1, seeder: true },
    { host: "p", port: 2, seeder: false },
  ];
  t.like(await plan({ registration: answer({ peers }) }), { task: { seedersOnly: false, peers } });
  t.like(await plan({ registration: answer({ peers }), request: { pattern: "cdn" } }), { task: { seedersOnly: true, peers: [peers[0]] } });
});
