/**
 * The API's description (OpenAPI 3.1), served at /api/v1/openapi.json. A test compares its paths with the routes.
 */
import { VERSION } from "../system/options.ts";
import { pagePaths } from "./pages/page-openapi.ts";
import { PREHEAT_SCHEMAS, preheatPaths } from "./preheat/preheat-openapi.ts";

const error = (description: string) => ({
  description,
  content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
});
const json = (description: string, schema: object) => ({ description, content: { "application/json": { schema } } });
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const text = { type: "string" } as const;
const count = { type: "integer", minimum: 0 } as const;
const ID = { name: "id", in: "path", required: true, schema: text, description: "task id, or any of its info hashes (hex)" } as const;
const TORRENT_VERSION = { name: "version", in: "query", schema: { type: "integer", enum: [1, 2], default: 1 } } as const;

const TASK_REQUEST = {
  type: "object",
  required: ["url"],
  properties: {
    url: { ...text, description: "http or https URL at the origin" },
    headers: { type: "object", additionalProperties: text, description: "sent to the origin as they are" },
    digest: { ...text, pattern: "^sha256:[0-9a-f]{64}$" },
    tag: text,
    filter: { type: "array", items: text, description: "query parameters that do not count for the identity" },
    range: { ...text, pattern: "^\\d+-\\d+$", description: "bytes FIRST-LAST of the URL, wanted as if they were the file" },
    tls: {
      type: "object",
      properties: { ca: { ...text, description: "authorities in PEM to trust besides" }, insecure: { type: "boolean" } },
      description: "whom the caller trusts at an https origin; part of the identity",
    },
    pieceLengthBytes: { ...count, description: "power of two, 65536 to 16777216" },
    peer: {
      type: "object",
      properties: { id: text, port: count, host: { ...text, description: "IP address to be dialled at" }, idc: text, location: text },
      description: "the caller's own peer, added to the swarm at once, and where it is",
    },
  },
};

const TASK_FIELDS = {
  id: text,
  state: { type: "string", enum: ["live", "final", "failed"] },
  name: text,
  lengthBytes: count,
  pieceLengthBytes: count,
  infoHash: { ...text, description: "live info hash" },
  infoHashV1: text,
  infoHashV2: text,
};

const rate = { ...count, description: "bytes per second, 0 is unlimited" };
const LIMIT_FIELDS = {
  originBytesPerSecond: { ...rate, description: "from all origins, bytes per second; 0 is unlimited" },
  originHostBytesPerSecond: { ...rate, description: "from each origin host, bytes per second; 0 is unlimited" },
  originConnectionsPerHost: { type: "integer", minimum: 1, maximum: 1024, description: "connections at once to each origin host" },
  uploadBytesPerSecond: { ...rate, description: "to all peers, bytes per second; 0 is unlimited" },
};
const SEEDER_FIELDS = { id: text, host: text, port: count };

const SCHEMAS = {
  ...PREHEAT_SCHEMAS,
  Error: {
    type: "object",
    properties: { error: { type: "object", properties: { code: text, message: text, hint: text, status: count } } },
  },
  TaskRequest: TASK_REQUEST,
  TaskAnswer: {
    type: "object",
    properties: {
      ...TASK_FIELDS,
      liveInfo: { ...text, description: "bencoded live info dict, base64" },
      final: {
        type: "object",
        properties: { infoV1: text, infoV2: text, pieceLayer: text, signature: text },
        description: "base64; when final",
      },
      inline: { ...text, description: "whole content, base64, up to 128 KiB" },
      peers: { type: "array", items: { type: "object", properties: { host: text, port: count, seeder: { type: "boolean" } } } },
      trackers: { type: "array", items: text },
      validators: { type: "object", properties: { etag: text, lastModified: text } },
      unvalidated: { type: "boolean", description: "no seeder could ask the origin just now" },
    },
  },
  TaskSummary: {
    type: "object",
    properties: {
      ...TASK_FIELDS,
      url: text,
      pieceCount: count,
      piecesReady: count,
      seeds: count,
      leeches: count,
      createdAt: text,
      lastUsedAt: text,
      error: { type: "object" },
    },
  },
};

const PREHEAT_ID = { name: "id", in: "path", required: true, schema: text, description: "id of the preheat" } as const;
const PAGE = [
  { name: "limit", in: "query", schema: { ...count, maximum: 1000, default: 100 } },
  { name: "offset", in: "query", schema: { ...count, default: 0 } },
] as const;

const CACHE_SCHEMAS = {
  Cache: {
    type: "object",
    properties: {
      seeders: {
        type: "array",
        items: {
          type: "object",
          properties: { ...SEEDER_FIELDS, quotaBytes: count, usedBytes: count, availableBytes: count, tasks: count },
        },
      },
      tasks: {
        type: "array",
        items: {
          type: "object",
          properties: {
            id: text,
            url: text,
            name: text,
            state: TASK_FIELDS.state,
            lengthBytes: count,
            bytes: { ...count, description: "on disk, over all seeders" },
            seeders: count,
            pinned: { type: "boolean" },
            active: { type: "boolean", description: "it is fetched, or a peer that lacks pieces is connected" },
            lastUsedAt: text,
          },
        },
      },
      private: { type: "object", properties: { tasks: count, bytes: count }, description: "private tasks are counted, not named" },
    },
  },
  GcRequest: {
    type: "object",
    properties: {
      to: {
        type: "object",
        properties: { bytes: count, share: { type: "number", minimum: 0, maximum: 1, description: "of the file system" } },
        description: "how much content may stay at each seeder; absent: its low mark",
      },
    },
  },
  GcResult: { type: "object", properties: { removed: count, freedBytes: count, leftovers: count, usedBytes: count } },
  Limits: {
    type: "object",
    properties: LIMIT_FIELDS,
    additionalProperties: false,
    description: "of each seeder; those that are absent stay",
  },
  LimitsAnswer: {
    type: "object",
    properties: {
      ...LIMIT_FIELDS,
      seeders: { type: "array", items: { type: "object", properties: { ...SEEDER_FIELDS, ...LIMIT_FIELDS } } },
    },
    description: "what is in force at every seeder (null where they differ), and at each",
  },
};

const body = (schema: string) => ({ required: true, content: { "application/json": { schema: ref(schema) } } });
const BROWSERS = {
  type: "object",
  properties: {
    bundle: { type: "boolean", description: "webtorrent's browser bundle is at /assets/webtorrent.js" },
    seeders: count,
  },
} as const;
const NO_SEEDER_ANSWER = { 503: error("the seeder went away"), 504: error("the seeder does not answer") };

const CACHE_PATHS = {
  "/api/v1/cache": {
    get: { summary: "What the seeders store", responses: { 200: json("stored content", ref("Cache")), ...NO_SEEDER_ANSWER } },
  },
  "/api/v1/cache/gc": {
    post: {
      summary: "Evict what is idle, and remove leftovers",
      requestBody: body("GcRequest"),
      responses: { 200: json("what went", ref("GcResult")), 400: error("malformed request"), ...NO_SEEDER_ANSWER },
    },
  },
  "/api/v1/tasks/{id}/pin": {
    put: {
      summary: "Keep a task whatever room is needed",
      parameters: [ID],
      responses: { 204: { description: "pinned" }, 404: error("unknown, or no seeder has it"), ...NO_SEEDER_ANSWER },
    },
    delete: {
      summary: "Let a task be evicted again",
      parameters: [ID],
      responses: { 204: { description: "unpinned" }, 404: error("unknown, or no seeder has it"), ...NO_SEEDER_ANSWER },
    },
  },
  "/api/v1/limits": {
    get: { summary: "Bounds on the seeders' traffic", responses: { 200: json("in force", ref("LimitsAnswer")), ...NO_SEEDER_ANSWER } },
    put: {
      summary: "Change bounds on the seeders' traffic; in force at once, and after restarts too",
      requestBody: body("Limits"),
      responses: { 200: json("in force", ref("LimitsAnswer")), 400: error("malformed request"), ...NO_SEEDER_ANSWER },
    },
  },
};

const PEER_REPORTS = {
  type: "object",
  required: ["reports"],
  properties: {
    reporter: { type: "object", properties: { id: text, port: count, claim: text } },
    reports: {
      type: "array",
      items: {
        type: "object",
        required: ["infoHash", "peer", "offence", "reason"],
        properties: {
          infoHash: text,
          peer: { type: "object", required: ["host", "port"], properties: { id: text, host: text, port: count } },
          offence: { enum: ["bad_block", "suspect_piece", "bad_record", "protocol", "refused", "stalled"] },
          reason: text,
        },
      },
    },
    good: {
      type: "array",
      items: { type: "object", required: ["infoHash", "host", "port"], properties: { infoHash: text, host: text, port: count } },
      description: "peers that brought good pieces of late",
    },
  },
} as const;

export const OPENAPI = {
  openapi: "3.1.0",
  info: {
    title: "Skimmer supernode",
    version: VERSION,
    license: { name: "Apache-2.0" },
    description:
      "Callers of other hosts send Authorization: Bearer TOKEN (docs/security.md). Any request may be answered 401 (no token), 403 (no scope) or 429 (too many; see Retry-After).",
  },
  security: [{}, { token: [] }],
  paths: {
    "/api/v1/tasks": {
      post: {
        summary: "Make or find the task behind a URL",
        requestBody: { required: true, content: { "application/json": { schema: ref("TaskRequest") } } },
        responses: {
          200: json("the task, peers to start with, trackers", ref("TaskAnswer")),
          400: error("malformed request"),
          403: error("the origin refuses this caller"),
          404: error("the origin does not have it"),
          502: error("the origin failed or is out of reach"),
          503: error("no seeder"),
        },
      },
      get: {
        summary: "List public tasks, the latest first",
        parameters: PAGE,
        responses: { 200: json("tasks", { type: "object", properties: { tasks: { type: "array", items: ref("TaskSummary") } } }) },
      },
    },
    "/api/v1/tasks/{id}": {
      get: { summary: "One task", parameters: [ID], responses: { 200: json("the task", ref("TaskSummary")), 404: error("unknown") } },
      delete: {
        summary: "Delete a task at every seeder",
        parameters: [ID],
        responses: { 204: { description: "deleted" }, 404: error("unknown") },
      },
    },
    "/api/v1/tasks/{id}/torrent": {
      get: {
        summary: "The final .torrent",
        parameters: [ID, TORRENT_VERSION],
        responses: {
          200: { description: ".torrent", content: { "application/x-bittorrent": {} } },
          404: error("unknown"),
          409: error("still live; see Retry-After"),
        },
      },
    },
    "/api/v1/tasks/{id}/magnet": {
      get: {
        summary: "The final torrent's magnet link",
        parameters: [ID, TORRENT_VERSION],
        responses: {
          200: { description: "magnet link", content: { "text/plain": {} } },
          404: error("unknown"),
          409: error("still live; see Retry-After"),
        },
      },
    },
    "/assets/webtorrent.js": {
      get: {
        summary: "webtorrent's browser bundle, for the task page's download",
        responses: {
          200: { description: "a module", content: { "text/javascript": {} } },
          404: error("the package webtorrent is not installed"),
        },
      },
    },
    "/api/v1/tasks/{id}/browsers": {
      get: {
        summary: "Have seeders serve the task's browsers by WebRTC",
        parameters: [ID, { name: "call", in: "query", schema: { type: "boolean", default: true }, description: "false: call no seeder" }],
        responses: {
          200: json("seeders that serve them now; none where no seeder does, or the task is not final and public", BROWSERS),
        },
      },
    },
    ...preheatPaths({ error, json, ref, page: PAGE, id: PREHEAT_ID }),
    ...CACHE_PATHS,
    "/api/v1/connect-back": {
      post: {
        summary: "Try to connect to the caller's own address, or to the one it advertises, as peers would",
        requestBody: {
          required: true,
          content: { "application/json": { schema: { type: "object", required: ["port"], properties: { port: count, host: text } } } },
        },
        responses: {
          200: json("whether it can be reached", {
            type: "object",
            required: ["host", "port", "reachable"],
            properties: { host: text, port: count, reachable: { type: "boolean" }, failure: text },
          }),
          503: error("an attempt for this address is under way"),
        },
      },
    },
    "/api/v1/reports": {
      post: {
        summary: "Tell of peers that this host leaves alone",
        requestBody: { required: true, content: { "application/json": { schema: PEER_REPORTS } } },
        responses: { 204: { description: "taken note of" }, 400: error("not readable") },
      },
    },
    "/api/v1/bans": {
      get: {
        summary: "Peers that are handed out to nobody, by the reports of several hosts",
        responses: {
          200: json("who, why, and for how long yet", {
            type: "object",
            properties: {
              bans: {
                type: "array",
                items: { type: "object", properties: { peer: text, reason: text, voices: count, secondsLeft: count } },
              },
            },
          }),
        },
      },
    },
    ...pagePaths({ error, json, id: ID }),
    "/api/v1/audit": {
      get: {
        summary: "The latest changes, and refused ones: who, from where, what, and how it went; needs the scope admin",
        parameters: [PAGE[0]],
        responses: {
          200: json("the latest first", {
            type: "object",
            properties: {
              entries: {
                type: "array",
                items: { type: "object", properties: { at: text, who: text, address: text, what: text, outcome: {} } },
              },
            },
          }),
        },
      },
    },
    "/api/v1/openapi.json": { get: { summary: "This document", responses: { 200: { description: "OpenAPI" } } } },
    "/healthz": {
      get: {
        summary: "Whether the supernode can serve",
        responses: { 200: { description: "yes" }, 503: { description: "no seeder yet" } },
      },
    },
    "/metrics": { get: { summary: "Metrics for Prometheus", responses: { 200: { description: "text", content: { "text/plain": {} } } } } },
    "/announce": {
      get: { summary: "HTTP tracker (BEP 3, 7, 23); WebSocket on the same path", responses: { 200: { description: "bencoded answer" } } },
    },
    "/scrape": { get: { summary: "HTTP tracker scrape (BEP 48)", responses: { 200: { description: "bencoded answer" } } } },
  },
  components: {
    schemas: { ...SCHEMAS, ...CACHE_SCHEMAS },
    securitySchemes: { token: { type: "http", scheme: "bearer", description: "scopes read, download, preheat, admin" } },
  },
} as const;
