/**
 * Checks what hosts and seeders tell of their work (host-report.ts), and what a supernode answers. Decides.
 */
import {
  type HostReport,
  type HostReportAnswer,
  MOST_MAPPED_PIECES,
  MOST_REPORTED_TASKS,
  type StatusReport,
  type TaskStatus,
} from "./host-report.ts";
import { parseInfoHash, parsePeerId } from "./ids.ts";
import { fieldReader } from "./parse-fields.ts";

const read = fieldReader("bad_request", "host report");
const ANY_COUNT = { least: 0, most: Number.MAX_SAFE_INTEGER };
const MOST_NAME = 64;
const MOST_LABEL = 600;
const MOST_SECONDS = 3600;
const MOST_MAP_LENGTH = Math.ceil(MOST_MAPPED_PIECES / 8 / 3) * 4;

/** Throws SkimmerError `bad_request`. */
export function parseHostReport(body: unknown): HostReport {
  const report = read.object(body, "body");
  const peer = read.object(report.peer, "peer");
  return {
    peer: {
      id: parsePeerId(read.text(peer.id, "peer.id", 40)) ?? read.fail("peer.id", "40 hex digits"),
      port: read.integer(peer.port, "peer.port", { least: 1, most: 65535 }),
      idc: read.optionalText(peer.idc, "peer.idc", MOST_LABEL),
      location: read.optionalText(peer.location, "peer.location", MOST_LABEL),
    },
    name: plainText(read.text(report.name, "name", 255)),
    version: plainText(read.text(report.version, "version", MOST_NAME)),
    uptimeSeconds: read.integer(report.uptimeSeconds, "uptimeSeconds", ANY_COUNT),
    whole: read.flag(report.whole),
    tasks: parseStatuses(report.tasks),
  };
}

/** Throws SkimmerError `bad_request`. */
export function parseStatusReport(value: unknown): StatusReport {
  const report = read.object(value, "status");
  const disk = read.object(report.disk, "disk");
  return {
    whole: read.flag(report.whole),
    tasks: parseStatuses(report.tasks),
    uptimeSeconds: read.integer(report.uptimeSeconds, "uptimeSeconds", ANY_COUNT),
    disk: {
      quotaBytes: read.integer(disk.quotaBytes, "disk.quotaBytes", ANY_COUNT),
      usedBytes: read.integer(disk.usedBytes, "disk.usedBytes", ANY_COUNT),
      availableBytes: read.integer(disk.availableBytes, "disk.availableBytes", ANY_COUNT),
      tasks: read.integer(disk.tasks, "disk.tasks", ANY_COUNT),
    },
  };
}

/** Throws SkimmerError `bad_request`. */
export function parseHostReportAnswer(body: unknown): HostReportAnswer {
  const answer = read.object(body, "answer");
  return {
    nextSeconds: read.integer(answer.nextSeconds, "nextSeconds", { least: 1, most: MOST_SECONDS }),
    whole: read.flag(answer.whole),
  };
}

function parseStatuses(value: unknown): TaskStatus[] {
  return read.list(value, "tasks", MOST_REPORTED_TASKS).map((entry, index) => parseStatus(entry, `tasks[${index}]`));
}

function parseStatus(value: unknown, field: string): TaskStatus {
  const status = read.object(value, field);
  const from = read.object(status.from, `${field}.from`);
  const count = (name: string, given: unknown): number => read.integer(given, `${field}.${name}`, ANY_COUNT);
  return {
    infoHash: parseInfoHash(read.text(status.infoHash, `${field}.infoHash`, 40)) ?? read.fail(`${field}.infoHash`, "40 hex digits"),
    bytesHave: count("bytesHave", status.bytesHave),
    piecesHave: count("piecesHave", status.piecesHave),
    from: {
      origin: count("from.origin", from.origin),
      seeder: count("from.seeder", from.seeder),
      peers: count("from.peers", from.peers),
    },
    uploadedBytes: count("uploadedBytes", status.uploadedBytes),
    downloadBytesPerSecond: count("downloadBytesPerSecond", status.downloadBytesPerSecond),
    uploadBytesPerSecond: count("uploadBytesPerSecond", status.uploadBytesPerSecond),
    connections: count("connections", status.connections),
    pieces: read.optionalText(status.pieces, `${field}.pieces`, MOST_MAP_LENGTH),
  };
}

/** A name as it may be shown: no control characters, not too long. */
function plainText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, "").slice(0, MOST_NAME);
}
