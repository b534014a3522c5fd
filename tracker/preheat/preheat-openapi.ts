/**
 * The preheat part of the API's description (tracker/openapi.ts).
 */
const text = { type: "string" } as const;
const count = { type: "integer", minimum: 0 } as const;
const HEADERS = { type: "object", additionalProperties: text } as const;
const TIME = { type: "string", format: "date-time" } as const;

export const PREHEAT_SCHEMAS = {
  PreheatRequest: {
    type: "object",
    description: "either url or image",
    properties: {
      url: { ...text, description: "of a file, or of a manifest in a registry (then it is an image)" },
      image: { ...text, description: "such as alpine:3.20 or ghcr.io/owner/name@sha256:…" },
      platforms: { description: "all, or a list such as linux/amd64; images only", default: "all" },
      username: text,
      password: text,
      headers: HEADERS,
      insecure: { type: "boolean", description: "the registry speaks http" },
      digest: text,
      tag: text,
      filter: { type: "array", items: text },
      range: text,
      pieceLengthBytes: count,
    },
  },
  Preheat: {
    type: "object",
    properties: {
      id: text,
      type: { type: "string", enum: ["file", "image"] },
      url: text,
      image: text,
      platforms: {},
      state: { type: "string", enum: ["waiting", "running", "success", "failed", "cancelled"] },
      files: { type: "object", properties: { total: count, done: count, failed: count } },
      lengthBytes: count,
      createdAt: TIME,
      startedAt: TIME,
      finishedAt: TIME,
      error: { type: "object" },
    },
  },
  PreheatRequestV1: {
    type: "object",
    required: ["type", "url"],
    properties: { type: { type: "string", enum: ["image", "file"] }, url: text, filter: text, headers: HEADERS },
  },
  PreheatV1: {
    type: "object",
    properties: {
      ID: text,
      status: { type: "string", enum: ["WAITING", "RUNNING", "SUCCESS", "FAILED"] },
      startTime: TIME,
      finishTime: TIME,
      errorMsg: text,
    },
  },
  PreheatRequestV2: {
    type: "object",
    required: ["type", "args"],
    properties: {
      type: { const: "preheat" },
      args: {
        type: "object",
        properties: {
          type: { type: "string", enum: ["image", "file"] },
          url: text,
          headers: HEADERS,
          username: text,
          password: text,
          platform: text,
          tag: text,
          filteredQueryParams: text,
        },
      },
    },
  },
  PreheatV2: {
    type: "object",
    properties: {
      id: count,
      state: { type: "string", enum: ["PENDING", "SUCCESS", "FAILURE"] },
      created_at: TIME,
      updated_at: TIME,
      args: { type: "object" },
      result: { type: "object" },
    },
  },
} as const;

interface Tools {
  error(description: string): object;
  json(description: string, schema: object): object;
  ref(name: string): object;
  readonly page: readonly object[];
  readonly id: object;
}

/** Paths of our own API, of both Dragonflies', and of webhooks. */
export function preheatPaths({ error, json, ref, page, id }: Tools) {
  const body = (schema: object) => ({ required: true, content: { "application/json": { schema } } });
  const unknown = error("unknown");
  const list = (schema: object) => ({ type: "array", items: schema });
  const webhook = (summary: string) => ({
    post: {
      summary,
      requestBody: body({ type: "object" }),
      responses: {
        202: json("taken", { type: "object", properties: { preheats: list(text) } }),
        400: error("malformed"),
        401: error("wrong Authorization"),
      },
    },
  });
  const alive = (summary: string) => ({ get: { summary, responses: { 200: { description: "OK" } } } });
  return {
    "/api/v1/preheats": {
      post: {
        summary: "Have the seeders fetch a file or an image before anyone asks for it",
        requestBody: body(ref("PreheatRequest")),
        responses: { 201: json("the job", ref("Preheat")), 400: error("malformed request"), 503: error("too many are waiting") },
      },
      get: {
        summary: "List preheats that were made without credentials, the latest first",
        parameters: page,
        responses: { 200: json("preheats", { type: "object", properties: { preheats: list(ref("Preheat")) } }) },
      },
    },
    "/api/v1/preheats/{id}": {
      get: { summary: "One preheat", parameters: [id], responses: { 200: json("the job", ref("Preheat")), 404: unknown } },
      delete: {
        summary: "Cancel an unfinished preheat, forget a finished one",
        parameters: [id],
        responses: { 204: { description: "done" }, 404: unknown },
      },
    },
    "/api/v1/webhooks/registry": webhook("Notifications of docker-registry (distribution): preheats what was pushed"),
    "/api/v1/webhooks/harbor": webhook("Harbor's PUSH_ARTIFACT: preheats what was pushed"),
    "/preheats": {
      post: {
        summary: "Dragonfly 1.0: make a preheat",
        requestBody: body(ref("PreheatRequestV1")),
        responses: { 201: json("its id", { type: "object", properties: { ID: text } }), 400: error("malformed request") },
      },
      get: { summary: "Dragonfly 1.0: list", parameters: page, responses: { 200: json("preheats", list(ref("PreheatV1"))) } },
    },
    "/preheats/{id}": {
      get: { summary: "Dragonfly 1.0: one preheat", parameters: [id], responses: { 200: json("it", ref("PreheatV1")), 404: unknown } },
      delete: { summary: "Dragonfly 1.0: delete", parameters: [id], responses: { 200: json("true", { const: true }), 404: unknown } },
    },
    "/oapi/v1/jobs": {
      post: {
        summary: "Dragonfly 2: make a preheat",
        requestBody: body(ref("PreheatRequestV2")),
        responses: { 200: json("the job", ref("PreheatV2")), 400: error("malformed request") },
      },
    },
    "/oapi/v1/jobs/{id}": {
      get: { summary: "Dragonfly 2: one preheat", parameters: [id], responses: { 200: json("it", ref("PreheatV2")), 404: unknown } },
    },
    "/_ping": alive("Dragonfly 1.0: the server answers"),
    "/healthy": alive("Dragonfly 2: the server answers"),
  } as const;
}
