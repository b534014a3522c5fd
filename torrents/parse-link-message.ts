/**
 * Checks the messages of the link between seeder and supernode (seeder-link.ts), both directions. Decides.
 */
import { parseTaskId } from "./ids.ts";
import { liveInfoHash, parseLiveInfo } from "./live-info.ts";
import { fieldReader, type JsonObject } from "./parse-fields.ts";
import { parseStatusReport } from "./parse-host-report.ts";
import { parseSeederLimits } from "./parse-limits.ts";
import { parseFinalTorrents, parseOptionalInfoHash, parseState, parseValidators } from "./parse-task-answer.ts";
import { parseTaskRequest } from "./parse-task-request.ts";
import type { CacheReport, GcResult, SeederMessage, SeederRequest, SeederTask, SupernodeMessage } from "./seeder-link.ts";
import { type ApiErrorBody, INLINE_BYTES, type SeederLimits, type TaskRequest } from "./task-api.ts";

const read = fieldReader("protocol", "seeder link");
const readGc = fieldReader("bad_request", "gc request");
const ANY_ID = { least: 0, most: Number.MAX_SAFE_INTEGER };
const MOST_CACHED = 100_000;
/** The latest time that Date can tell. */
const MOST_DATE_MS = 8_640_000_000_000_000;

/** What a seeder said. Throws SkimmerError `protocol`. */
export function parseSeederMessage(text: string): SeederMessage {
  const message = parseJson(text);
  switch (message.kind) {
    case "hello":
      return {
        kind: "hello",
        key: read.text(message.key, "key", 64),
        signature: read.text(message.signature, "signature", 128),
        peerId: read.text(message.peerId, "peerId", 40),
        port: read.integer(message.port, "port", { least: 1, most: 65535 }),
        host: read.optionalText(message.host, "host", 255),
        version: read.text(message.version, "version", 64),
        webrtc: read.flag(message.webrtc),
      };
    case "reply":
      return {
        kind: "reply",
        id: read.integer(message.id, "id", ANY_ID),
        task: message.task === undefined ? undefined : parseTask(message.task),
        cache: message.cache === undefined ? undefined : parseCacheReport(message.cache),
        gc: message.gc === undefined ? undefined : parseGcResult(message.gc),
        limits: message.limits === undefined ? undefined : parseAllLimits(message.limits),
        error: message.error === undefined ? undefined : parseApiError(message.error),
      };
    case "task":
      return { kind: "task", task: parseTask(message.task) };
    case "status":
      return { kind: "status", status: parseStatusReport(message.status) };
    case "gone":
      return { kind: "gone", task: taskId(message.task), reason: message.reason === "evicted" ? "evicted" : "deleted" };
    default:
      return read.fail("kind", "known");
  }
}

/** With what only a supernode may say. */
function parseRequest(value: unknown): Omit<TaskRequest, "peer"> {
  const loopback = read.flag(read.object(value, "request").loopback);
  return { ...parseTaskRequest(value), ...(loopback && { loopback }) };
}

/** What a supernode said. Throws SkimmerError. */
export function parseSupernodeMessage(text: string): SupernodeMessage {
  const message = parseJson(text);
  switch (message.kind) {
    case "challenge":
      return { kind: "challenge", nonce: read.text(message.nonce, "nonce", 256) };
    case "welcome":
      return { kind: "welcome", seederId: read.text(message.seederId, "seederId", 256) };
    case "resolve":
      return { kind: "resolve", id: read.integer(message.id, "id", ANY_ID), request: parseRequest(message.request) };
    case "delete":
      return { kind: "delete", id: read.integer(message.id, "id", ANY_ID), task: taskId(message.task) };
    case "pin":
      return { kind: "pin", id: read.integer(message.id, "id", ANY_ID), task: taskId(message.task), pinned: read.flag(message.pinned) };
    case "cache":
      return { kind: "cache", id: read.integer(message.id, "id", ANY_ID) };
    case "gc":
      return { kind: "gc", id: read.integer(message.id, "id", ANY_ID), to: parseGcTarget(message.to) };
    case "limits":
      return { kind: "limits", id: read.integer(message.id, "id", ANY_ID), set: parseSeederLimits(message.set) };
    case "browsers":
      return { kind: "browsers", id: read.integer(message.id, "id", ANY_ID), task: taskId(message.task) };
    default:
      return read.fail("kind", "known");
  }
}

/** One task as a seeder tells it, or as a file keeps it. */
export function parseTask(value: unknown): SeederTask {
  const task = read.object(value, "task");
  const liveInfo = read.text(task.liveInfo, "liveInfo", 8192);
  const liveBytes = Buffer.from(liveInfo, "base64");
  const live = parseLiveInfo(liveBytes);
  return {
    id: taskId(task.id),
    url: read.text(task.url, "url", 8192),
    name: live.name,
    state: parseState(task.state),
    lengthBytes: live.lengthBytes,
    pieceLengthBytes: live.pieceLengthBytes,
    piecesReady: read.integer(task.piecesReady, "piecesReady", { least: 0, most: live.geometry.pieceCount }),
    infoHash: liveInfoHash(liveBytes),
    liveInfo,
    validators: parseValidators(task.validators),
    private: read.flag(task.private),
    final: task.final === undefined ? undefined : parseFinalTorrents(task.final),
    infoHashV1: parseOptionalInfoHash(task.infoHashV1, "infoHashV1"),
    infoHashV2: parseOptionalInfoHash(task.infoHashV2, "infoHashV2"),
    inline: read.optionalText(task.inline, "inline", INLINE_BYTES * 2),
    webSeed: read.optionalText(task.webSeed, "webSeed", 2048),
    error: task.error === undefined ? undefined : parseApiError(task.error),
  };
}

/** The error object of any of our APIs. */
export function parseApiError(value: unknown): ApiErrorBody["error"] {
  const error = read.object(value, "error");
  return {
    code: read.text(error.code, "error.code", 64),
    message: read.text(error.message, "error.message", 4096),
    hint: read.optionalText(error.hint, "error.hint", 4096),
    status: error.status === undefined ? undefined : read.integer(error.status, "error.status", { least: 0, most: 999 }),
  };
}

function parseCacheReport(value: unknown): CacheReport {
  const report = read.object(value, "cache");
  return {
    quotaBytes: read.integer(report.quotaBytes, "quotaBytes", ANY_ID),
    usedBytes: read.integer(report.usedBytes, "usedBytes", ANY_ID),
    availableBytes: read.integer(report.availableBytes, "availableBytes", ANY_ID),
    tasks: read.list(report.tasks, "cache.tasks", MOST_CACHED).map((entry) => {
      const task = read.object(entry, "cache.task");
      return {
        id: taskId(task.id),
        bytes: read.integer(task.bytes, "bytes", ANY_ID),
        pinned: read.flag(task.pinned),
        active: read.flag(task.active),
        lastUsedMs: read.integer(task.lastUsedMs, "lastUsedMs", { least: 0, most: MOST_DATE_MS }),
      };
    }),
  };
}

/** What a collection came to, at a seeder or over all of them. */
export function parseGcResult(value: unknown): GcResult {
  const result = read.object(value, "gc");
  const count = (field: string): number => read.integer(result[field], `gc.${field}`, ANY_ID);
  return { removed: count("removed"), freedBytes: count("freedBytes"), leftovers: count("leftovers"), usedBytes: count("usedBytes") };
}

/** Where a collection is to stop. Throws SkimmerError `bad_request`. */
export function parseGcTarget(value: unknown): (SeederRequest & { kind: "gc" })["to"] {
  if (value === undefined) return undefined;
  const { bytes, share } = readGc.object(value, "to");
  if (share === undefined) return { bytes: readGc.integer(bytes, "to.bytes", ANY_ID) };
  return typeof share === "number" && share >= 0 && share <= 1 ? { share } : readGc.fail("to.share", "a number from 0 to 1");
}

function parseAllLimits(value: unknown): SeederLimits {
  const limits = parseSeederLimits(value);
  const { originBytesPerSecond, originHostBytesPerSecond, originConnectionsPerHost, uploadBytesPerSecond } = limits;
  const all = { originBytesPerSecond, originHostBytesPerSecond, originConnectionsPerHost, uploadBytesPerSecond };
  return Object.values(all).includes(undefined) ? read.fail("limits", "complete") : (all as SeederLimits);
}

function taskId(value: unknown) {
  return parseTaskId(read.text(value, "task id", 64)) ?? read.fail("task id", "64 hex digits");
}

function parseJson(text: string): JsonObject {
  try {
    return read.object(JSON.parse(text), "message");
  } catch {
    return read.fail("message", "JSON");
  }
}
