/**
 * The stats page's part of the API's description (openapi.ts). The views' shapes are those of browser/shapes.ts.
 */

const text = { type: "string" } as const;
const count = { type: "integer", minimum: 0 } as const;

const QUERY = [
  { name: "search", in: "query", schema: text },
  { name: "sort", in: "query", schema: text, description: "a column's name" },
  { name: "order", in: "query", schema: { type: "string", enum: ["asc", "desc"] } },
  { name: "limit", in: "query", schema: { ...count, maximum: 200, default: 50 } },
  { name: "offset", in: "query", schema: { ...count, default: 0 } },
] as const;

const VIEW = {
  type: "object",
  properties: { fields: { type: "object" }, rows: { type: "array", items: { type: "object" } }, once: { type: "object" } },
} as const;

const TASK_STATUS = {
  type: "object",
  properties: {
    infoHash: text,
    bytesHave: count,
    piecesHave: count,
    from: { type: "object", properties: { origin: count, seeder: count, peers: count } },
    uploadedBytes: count,
    downloadBytesPerSecond: count,
    uploadBytesPerSecond: count,
    connections: count,
    pieces: { ...text, description: "bitfield (BEP 3), base64, where the host has some of the pieces" },
  },
} as const;

const HOST_REPORT = {
  type: "object",
  required: ["peer", "name", "version", "uptimeSeconds", "whole", "tasks"],
  properties: {
    peer: { type: "object", properties: { id: text, port: count, idc: text, location: text } },
    name: text,
    version: text,
    uptimeSeconds: count,
    whole: { type: "boolean", description: "not everything was told to this supernode yet" },
    tasks: { type: "array", maxItems: 200, items: TASK_STATUS },
  },
} as const;

interface Tools {
  error(description: string): object;
  json(description: string, schema: object): object;
  readonly id: object;
}

/** Paths of documents, assets, views and host reports. */
export function pagePaths({ error, json, id }: Tools) {
  const document = (summary: string, parameters: readonly object[] = []) => ({
    get: { summary, ...(parameters.length > 0 ? { parameters } : {}), responses: { 200: { description: "HTML" } } },
  });
  const view = (summary: string, parameters: readonly object[]) => ({
    get: {
      summary: `${summary}; with Accept: text/event-stream as events: view, then change (changed fields, changed rows, order), gone`,
      parameters,
      responses: { 200: json("the view", VIEW), 503: error("too many listeners") },
    },
  });
  const name = { name: "name", in: "path", required: true, schema: text };
  return {
    "/": document("The stats page"),
    "/hosts": document("Page of the hosts"),
    "/seeders": document("Page of the seeders"),
    "/bans": document("Page of bans and reports"),
    "/tasks/{id}": document("Page of one task", [id]),
    "/assets/{name}": {
      get: { summary: "Scripts and styles of the pages", parameters: [name], responses: { 200: { description: "it" } } },
    },
    "/api/v1/stats": view("Totals and the table of swarms", QUERY),
    "/api/v1/stats/tasks/{id}": view("One task and its peers", [id, ...QUERY]),
    "/api/v1/stats/hosts": view("Hosts that report here", QUERY),
    "/api/v1/stats/seeders": view("Seeders and their disks", []),
    "/api/v1/stats/bans": view("Banned and reported peers", QUERY.slice(3)),
    "/api/v1/host-reports": {
      post: {
        summary: "A host daemon tells what its torrents do, for the stats page",
        requestBody: { required: true, content: { "application/json": { schema: HOST_REPORT } } },
        responses: {
          200: json("when to report next, and whether to tell everything then", {
            type: "object",
            properties: { nextSeconds: count, whole: { type: "boolean" } },
          }),
          400: error("malformed"),
        },
      },
    },
  } as const;
}
