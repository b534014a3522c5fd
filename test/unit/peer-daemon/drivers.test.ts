/** The daemon's drivers over fakes: shared downloads, single flight, supernode client, idle timer. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import test from "ava";
import type { DownloadRequest } from "../../../peer/daemon/daemon-api.ts";
import { IdleTimer } from "../../../peer/daemon/idle-timer.ts";
import { makeLocalTorrent } from "../../../peer/daemon/local-torrent.ts";
import type { OriginReader } from "../../../peer/daemon/origin-reader.ts";
import { parseDownloadRequest } from "../../../peer/daemon/parse-download-request.ts";
import { SingleFlight } from "../../../peer/daemon/single-flight.ts";
import { SupernodeClient } from "../../../peer/daemon/supernode-client.ts";
import { SupernodeList } from "../../../peer/daemon/supernode-list.ts";
import { TaskRun } from "../../../peer/daemon/task-run.ts";
import { SkimmerError } from "../../../system/errors.ts";
import { silentLogger } from "../../../system/logger.ts";
import { generateClusterKey } from "../../../torrents/cluster-key.ts";
import type { PeerId } from "../../../torrents/ids.ts";
import { FakeTorrent } from "./fake-torrent.ts";

const NEVER = new AbortController().signal;
const PEER_ID = "2d".repeat(20) as PeerId;

function request(fields: object = {}): DownloadRequest {
  return parseDownloadRequest({ url: "http://h/f", ...fields });
}

function running(options: { alone?: string; read?: () => Promise<SkimmerError | undefined> } = {}) {
  const torrent = new FakeTorrent();
  let reads = 0;
  const reader = {
    running: false,
    wasRead: false,
    stop: async () => undefined,
    read: async () => {
      reads++;
      return options.read?.();
    },
  };
  const run = new TaskRun({
    torrent: torrent.asTorrent,
    reader: reader as unknown as OriginReader,
    hurry: () => undefined,
    trackers: () => [],
    alone: options.alone,
    foreign: false,
    clock: { nowMs: () => performance.now() },
    logger: silentLogger,
  });
  return { torrent, run, reads: () => reads };
}

const QUIET = { signal: NEVER, onProgress: () => undefined };

test("TaskRun.wait() settles everybody when the torrent is complete, each with its own account", async (t) => {
  const { torrent, run } = running();
  const first = run.wait(request(), QUIET);
  torrent.stats = { ...torrent.stats, bytesHave: 50, from: { ...torrent.stats.from, seeder: 50 } };
  const second = run.wait(request(), QUIET);
  t.true(torrent.downloading);
  torrent.finish();
  t.deepEqual((await first).from, { origin: 0, seeder: 50, peers: 50, cache: 0 });
  t.deepEqual((await second).from, { origin: 0, seeder: 0, peers: 50, cache: 50 });
  t.is(run.waiting, 0);
});

test("TaskRun.wait() answers at once for complete content, and lets a cancelled caller go alone", async (t) => {
  const { torrent, run } = running();
  const cancel = new AbortController();
  const leaving = run.wait(request(), { ...QUIET, signal: cancel.signal });
  const staying = run.wait(request(), QUIET);
  cancel.abort(new SkimmerError("cancelled", "gone"));
  await t.throwsAsync(leaving, { code: "cancelled" });
  t.is(run.waiting, 1);
  torrent.finish();
  await staying;
  t.is((await run.wait(request(), QUIET)).from.cache, 100);
});

test("TaskRun takes the most generous limit of those who wait", async (t) => {
  const { torrent, run } = running();
  const waits = [run.wait(request({ limit: 10 }), QUIET), run.wait(request({ limit: 30 }), QUIET)];
  t.is(torrent.limitBytesPerSecond, 30);
  waits.push(run.wait(request(), QUIET));
  t.is(torrent.limitBytesPerSecond, 0);
  torrent.finish();
  await Promise.all(waits);
});

test("TaskRun without a swarm reads the origin at once, and fails with the origin's error", async (t) => {
  const { run, reads } = running({ alone: "no supernode answers", read: async () => new SkimmerError("origin_not_found", "404") });
  await t.throwsAsync(run.wait(request(), QUIET), { code: "origin_not_found" });
  t.is(reads(), 1);
});

test("TaskRun.close() tells those who wait", async (t) => {
  const { run } = running();
  const waiting = run.wait(request(), QUIET);
  await run.close(new SkimmerError("cancelled", "stopping"));
  await t.throwsAsync(waiting, { code: "cancelled" });
});

test("SingleFlight works once for all, and aborts when the last has left", async (t) => {
  const flights = new SingleFlight<number>();
  let works = 0;
  const aborted = Promise.withResolvers<void>();
  const work = (signal: AbortSignal): Promise<number> => {
    works++;
    signal.addEventListener("abort", () => aborted.resolve());
    return new Promise(() => undefined);
  };
  const [one, two] = [new AbortController(), new AbortController()];
  const waits = [flights.run("k", work, one.signal), flights.run("k", work, two.signal)];
  t.is(works, 1);
  one.abort(new Error("one"));
  await t.throwsAsync(waits[0], { message: "one" });
  two.abort(new Error("two"));
  await t.throwsAsync(waits[1], { message: "two" });
  await aborted.promise;
  t.is(await flights.run("k", async () => 5, NEVER), 5);
});

async function supernode(answer: (response: http.ServerResponse, body: Record<string, unknown>) => void) {
  const server = http.createServer(async (incoming, response) => {
    const chunks = await incoming.toArray();
    answer(response, JSON.parse(Buffer.concat(chunks).toString()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    [Symbol.asyncDispose]: async () => void (server.closeAllConnections(), await new Promise((resolve) => server.close(resolve))),
  };
}

function client(): SupernodeClient {
  return new SupernodeClient({
    list: new SupernodeList(),
    peer: { id: PEER_ID, port: 7 },
    clock: { nowMs: () => 0 },
    logger: silentLogger,
  });
}

function goodAnswer(): object {
  const local = makeLocalTorrent({ request: { url: "http://h/f" }, name: "f", lengthBytes: 5, validators: {}, key: generateClusterKey() });
  return {
    id: "ab".repeat(32),
    state: "live",
    infoHash: local.infoHash,
    liveInfo: local.liveInfo.toString("base64"),
    peers: [],
    trackers: [],
    validators: {},
  };
}

test("SupernodeClient.register() passes over those that refuse or answer nonsense", async (t) => {
  await using nonsense = await supernode((response) => response.end("<html>hello</html>"));
  await using lying = await supernode((response) => response.end(JSON.stringify({ ...goodAnswer(), infoHash: "00".repeat(20) })));
  await using failing = await supernode((response) =>
    response.writeHead(503).end(JSON.stringify({ error: { code: "no_seeder", message: "none" } })),
  );
  let asked: Record<string, unknown> = {};
  await using good = await supernode((response, body) => {
    asked = body;
    response.end(JSON.stringify(goodAnswer()));
  });
  const warnings: string[] = [];
  const urls = ["http://127.0.0.1:1", nonsense.url, lying.url, failing.url, good.url];
  const registration = await client().register(urls, request({ headers: { a: "b" }, tag: "t" }), {
    signal: NEVER,
    warn: (message) => warnings.push(message),
  });
  t.like(registration, { kind: "answer", supernode: good.url });
  t.is(warnings.length, 2);
  t.like(asked, { url: "http://h/f", headers: { a: "b" }, tag: "t", peer: { port: 7 } });
});

test("SupernodeClient.register() asks one that dropped it or answered nonsense again where the origin is forbidden", async (t) => {
  let asked = 0;
  await using supernodeThatStarts = await supernode((response) => {
    asked++;
    if (asked === 1) response.destroy();
    else response.end(asked === 2 ? "not JSON" : JSON.stringify(goodAnswer()));
  });
  const supernodes = client();
  const options = { signal: NEVER, warn: () => undefined };
  const ask = (notbs: boolean) => supernodes.register([supernodeThatStarts.url], request({ notbs }), options);
  t.like(await ask(false), { kind: "none", failures: [`${supernodeThatStarts.url}: ECONNRESET`] });
  t.is((await ask(false)).kind, "none");
  t.is(asked, 2, "a dropped connection costs nothing to try again");
  t.deepEqual(await ask(false), { kind: "none", failures: [] });
  t.is(asked, 2, "one that answers nonsense is left alone for a while");
  t.like(await ask(true), { kind: "answer" });
});

test("SupernodeClient.register() hands on what the origin said, and tells that nobody helps", async (t) => {
  await using refusing = await supernode((response) =>
    response.writeHead(403).end(JSON.stringify({ error: { code: "origin_refused", message: "403", hint: "h", status: 403 } })),
  );
  const options = { signal: NEVER, warn: () => undefined };
  const error = await t.throwsAsync<SkimmerError>(client().register([refusing.url], request(), options), { code: "origin_refused" });
  t.is(error?.status, 403);
  t.like(await client().register(["http://127.0.0.1:1"], request(), options), { kind: "none" });
});

test("IdleTimer waits for the last to end", async (t) => {
  const idle = Promise.withResolvers<void>();
  let fired = false;
  const timer = new IdleTimer({ idleMs: 5, onIdle: () => ((fired = true), idle.resolve()) });
  const ends = [timer.begin(), timer.begin()];
  ends[0]();
  ends[0]();
  t.is(timer.busy, 1);
  t.false(fired);
  ends[1]();
  await idle.promise;
  t.is(timer.busy, 0);
});
