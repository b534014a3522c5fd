/** The daemon's API over a real Unix socket, with a fake daemon behind it and dfget's own client in front. */

import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { type ApiTarget, makeApiServer } from "../../../peer/daemon/api-server.ts";
import type { DownloadEvent } from "../../../peer/daemon/daemon-api.ts";
import { listenSocket } from "../../../peer/daemon/listen-socket.ts";
import { isListening, postDownload } from "../../../peer/dfget/daemon-socket.ts";
import { SkimmerError } from "../../../system/errors.ts";
import { requestJson } from "../../../system/json-http.ts";
import { silentLogger } from "../../../system/logger.ts";
import { temporaryFolder } from "../../support/folders.ts";

const NEVER = new AbortController().signal;
const DONE: DownloadEvent = {
  event: "done",
  status: "ok",
  output: "/o",
  bytes: 1,
  seconds: 1,
  infoHash: null,
  from: { origin: 1, seeder: 0, peers: 0, cache: 0 },
};

async function serving(change: Partial<ApiTarget>) {
  const folder = await temporaryFolder();
  const socket = join(folder.path, "s");
  const target: ApiTarget = {
    download: async () => DONE,
    tasks: () => [],
    info: () => ({}) as never,
    task: () => undefined,
    removeTask: async () => false,
    limits: () => ({ upload: 0, download: 0, backToSource: 0, priorities: {} }),
    setLimits: () => undefined,
    seed: async () => ({}) as never,
    list: async () => ({}),
    describeTorrent: async () => ({}) as never,
    stop: () => undefined,
    ...change,
  };
  const server = makeApiServer(target, silentLogger);
  await listenSocket(server, socket);
  const ask = (method: string, url: string, body?: unknown) =>
    requestJson({ url: `http://daemon${url}`, socketPath: socket, method, body, timeoutMs: 5_000 });
  return {
    socket,
    ask,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await folder[Symbol.asyncDispose]();
    },
  };
}

const POST = { body: { url: "http://h/f" }, signal: NEVER, onEvent: () => undefined };

test("POST /v1/downloads sends events as they come, then one last", async (t) => {
  await using api = await serving({
    download: async (request, { emit }) => {
      emit({ event: "warning", message: request.url });
      for (let bytes = 0; bytes < 50; bytes++)
        emit({ event: "progress", bytes, total: 50, rate: 0, peers: 0, from: { origin: 0, seeder: 0, peers: 0, cache: 0 } });
      return DONE;
    },
  });
  const events: DownloadEvent[] = [];
  t.deepEqual(await postDownload({ ...POST, socket: api.socket, onEvent: (event) => events.push(event) }), { kind: "done", event: DONE });
  t.deepEqual(
    events.map(({ event }) => event),
    ["warning", "progress"],
  );
});

test("POST /v1/downloads tells failures by code", async (t) => {
  await using api = await serving({ download: () => Promise.reject(new SkimmerError("origin_refused", "no", { hint: "h", status: 403 })) });
  t.deepEqual(await postDownload({ ...POST, socket: api.socket }), {
    kind: "error",
    event: { event: "error", code: "origin_refused", message: "no", hint: "h", status: 403 },
  });
  t.like(await postDownload({ ...POST, socket: api.socket, body: { url: "nonsense" } }), { kind: "error", event: { code: "bad_request" } });
});

test("a caller that goes away cancels its download", async (t) => {
  const begun = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<unknown>();
  await using api = await serving({
    download: (_request, { signal }) => {
      begun.resolve();
      return new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => (cancelled.resolve(signal.reason), reject(signal.reason))),
      );
    },
  });
  const control = new AbortController();
  const post = postDownload({ ...POST, socket: api.socket, signal: control.signal });
  await begun.promise;
  control.abort(new Error("enough"));
  await t.throwsAsync(post, { message: "enough" });
  t.like(await cancelled.promise, { code: "cancelled" });
});

test("timeoutMs ends a download with `timeout`", async (t) => {
  await using api = await serving({
    download: (_request, { signal }) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  t.like(await postDownload({ ...POST, socket: api.socket, body: { url: "http://h/f", timeoutMs: 5 } }), {
    kind: "error",
    event: { code: "timeout" },
  });
});

test("the other routes answer JSON, unknown ones 404", async (t) => {
  const stopped = Promise.withResolvers<void>();
  await using api = await serving({
    tasks: () => [{ name: "x" } as never],
    removeTask: async () => true,
    stop: stopped.resolve,
  });
  t.deepEqual((await api.ask("GET", "/v1/tasks")).body, { tasks: [{ name: "x" }] });
  t.is((await api.ask("DELETE", `/v1/tasks/${"ab".repeat(20)}`)).status, 200);
  t.is((await api.ask("DELETE", "/v1/tasks/zz")).status, 400);
  t.is((await api.ask("GET", "/v1/nothing")).status, 404);
  t.is((await api.ask("POST", "/v1/downloads", "x".repeat(2_000_000))).status, 400);
  t.is((await api.ask("POST", "/v1/stop")).status, 202);
  await stopped.promise;
});

test("the socket is the user's alone, and an old one is replaced", async (t) => {
  await using folder = await temporaryFolder();
  const socket = join(folder.path, "s");
  t.false(await isListening(socket));
  t.like(await postDownload({ ...POST, socket }), { kind: "away" });
  await writeFile(socket, "left by a crash");
  const server = makeApiServer({} as ApiTarget, silentLogger);
  await listenSocket(server, socket);
  t.is((await stat(socket)).mode & 0o777, 0o600);
  t.true(await isListening(socket));
  await new Promise((resolve) => server.close(resolve));
});
