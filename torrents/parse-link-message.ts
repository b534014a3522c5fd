/**
 * Checks the messages of the link between seeder and supernode (seeder-link.ts), both directions. Decides.
 */
import { parseTaskId } from "./ids.ts";
import { liveInfoHash, parseLiveInfo } from "./live-info.ts";
import { fieldReader, type JsonObject } from "./parse-fields.ts";
import { parseFinalTorrents, parseOptionalInfoHash, parseState, parseValidators } from "./parse-task-answer.ts";
import { parseTaskRequest } from "./parse-task-request.ts";
import type { SeederMessage, SeederTask, SupernodeMessage } from "./seeder-link.ts";
import { type ApiErrorBody, INLINE_BYTES } from "./task-api.ts";

const read = fieldReader("protocol", "seeder link");
const ANY_ID = { least: 0, most: Number.MAX_SAFE_INTEGER };

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
      };
    case "reply":
      return {
        kind: "reply",
        id: read.integer(message.id, "id", ANY_ID),
        task: message.task === undefined ? undefined : parseTask(message.task),
        error: message.error === undefined ? undefined : parseApiError(message.error),
      };
    case "task":
      return { kind: "task", task: parseTask(message.task) };
    case "gone":
      return { kind: "gone", task: taskId(message.task) };
    default:
      return read.fail("kind", "known");
  }
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
      return { kind: "resolve", id: read.integer(message.id, "id", ANY_ID), request: parseTaskRequest(message.request) };
    case "delete":
      return { kind: "delete", id: read.integer(message.id, "id", ANY_ID), task: taskId(message.task) };
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
