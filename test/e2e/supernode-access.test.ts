/** Who may call the supernode's API, shown with real commands. Callers "of other hosts" are those that a proxy speaks for. */
import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import test from "ava";
import { Cluster } from "../support/cluster.ts";
import { runCommand, until } from "../support/processes.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

/** Until a changed file is noticed, on a busy machine. */
const LIMIT_MS = 20_000;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Plain HTTP, with headers that fetch() would not send. */
function call(url: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: options.method ?? "GET", headers: options.headers ?? {}, timeout: 30_000 }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    sent.on("error", reject).on("timeout", () => sent.destroy(new Error("no answer")));
    sent.end(options.body);
  });
}

const ELSEWHERE = { "x-forwarded-for": "192.0.2.7" };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function newToken(data: string, name: string, scope: string): Promise<string> {
  const { stdout, stderr, exitCode } = await runCommand({
    command: "supernode",
    args: ["token", "new", name, "--scope", scope, "--data", data],
  });
  if (exitCode !== 0) throw new Error(stderr);
  return stdout.trim();
}

test("this machine's callers need no token; those of other hosts get 401, then 403, then 200", async (t) => {
  await using cluster = await Cluster.start();
  const { url } = cluster;
  const data = cluster.supernode.ready.data;
  t.is((await call(`${url}/api/v1/tasks`)).status, 200);
  const refused = await call(`${url}/api/v1/tasks`, { headers: ELSEWHERE });
  t.is(refused.status, 401);
  t.like(JSON.parse(refused.body).error, { code: "unauthorized", message: "this needs a token (scope read)" });
  t.regex(JSON.parse(refused.body).error.hint, /--token/);
  t.regex(String(refused.headers["www-authenticate"]), /Bearer realm/);

  const reader = await newToken(data, "eyes", "read");
  await until(async () => (await call(`${url}/api/v1/tasks`, { headers: { ...ELSEWHERE, ...bearer(reader) } })).status === 200, LIMIT_MS);
  const denied = await call(`${url}/api/v1/tasks/abc`, { method: "DELETE", headers: { ...ELSEWHERE, ...bearer(reader) } });
  t.is(denied.status, 403);
  t.like(JSON.parse(denied.body).error, { code: "forbidden" });
  t.is((await call(`${url}/api/v1/audit`, { headers: { ...ELSEWHERE, ...bearer(reader) } })).status, 403);

  const basic = { authorization: `Basic ${Buffer.from(`me:${reader}`).toString("base64")}` };
  t.is((await call(`${url}/api/v1/tasks`, { headers: { ...ELSEWHERE, ...basic } })).status, 200);

  await runCommand({ command: "supernode", args: ["token", "rm", "eyes", "--data", data] });
  await until(async () => (await call(`${url}/api/v1/tasks`, { headers: { ...ELSEWHERE, ...bearer(reader) } })).status === 401, LIMIT_MS);
  for (const open of ["/healthz", "/api/v1/openapi.json", "/_ping", "/announce", "/scrape"])
    t.is((await call(`${url}${open}`, { headers: ELSEWHERE })).status, 200, open);
});

test("--access token: downloads go through the swarm with a token, and pass the supernode over, with a warning, without", async (t) => {
  await using origin = await ScriptedOrigin.start();
  const content = Buffer.alloc(3 * 1024 * 1024, "tokens ");
  const file = origin.add("/f", content);
  await using cluster = await Cluster.start({ supernodeArgs: ["--access", "token"] });
  const token = (await readFile(cluster.supernode.ready.hostsToken, "utf8")).trim();
  t.is((await call(`${cluster.url}/api/v1/tasks`)).status, 401, "not even this machine");
  const tokenFile = join(cluster.folder, "token");
  await writeFile(tokenFile, `${token}\n`);

  await cluster.startDaemon("with", ["--token", `@${tokenFile}`]);
  const through = await cluster.dfget("with", file.url);
  t.is(through.exitCode, 0);
  t.true((await readFile(cluster.output("with"))).equals(content));

  await cluster.startDaemon("without");
  const refused = await cluster.dfget("without", file.url, ["--notbs"]);
  t.is(refused.exitCode, 30);
  t.regex(String(refused.message), /token/);
  const own = await cluster.dfget("without", file.url, ["--notbs", "--token", token]);
  t.is(own.exitCode, 0, "dfget's own token");
  const past = await cluster.dfget("without", origin.add("/g", content).url);
  t.is(past.exitCode, 0, "the origin is there still");

  const doctor = async (...args: string[]) => {
    const common = ["doctor", "--home", cluster.home("nobody"), "--supernode", cluster.url, "--json"];
    const { stdout } = await runCommand({ command: "dfget", args: [...common, ...args] });
    const { findings } = JSON.parse(stdout) as { findings: { name: string; status: string; message: string }[] };
    return findings.find(({ name }) => name === "access");
  };
  t.like(await doctor(), { status: "wrong" });
  t.like(await doctor("--token", token), { status: "ok" });
});

test("a seeder on another host needs the scope admin; its own seeder is let in by itself", async (t) => {
  await using cluster = await Cluster.start({ supernodeArgs: ["--access", "token"] });
  const admin = await newToken(cluster.supernode.ready.data, "boss", "admin");
  const headers = {
    connection: "upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
  };
  const link = `${cluster.url}/api/v1/seeders/link`;
  t.is((await call(link, { headers })).status, 401);
  const health = JSON.parse((await call(`${cluster.url}/healthz`)).body) as { seeders: number };
  t.is(health.seeders, 1);
  await until(async () => (await call(`${cluster.url}/api/v1/cache`, { headers: bearer(admin) })).status === 200, LIMIT_MS);
  const listed = await runCommand({ command: "supernode", args: ["cache", "ls", "--json", "--supernode", cluster.url, "--token", admin] });
  t.is(listed.exitCode, 0, listed.stderr);
  const refused = await runCommand({ command: "supernode", args: ["cache", "ls", "--supernode", cluster.url] });
  t.is(refused.exitCode, 43);
});

test("URLs of callers may not lead to metadata addresses, nor to the loopback for who is not here", async (t) => {
  await using origin = await ScriptedOrigin.start();
  const { url } = origin.add("/f", Buffer.alloc(1000, 7));
  await using cluster = await Cluster.start();
  const token = await newToken(cluster.supernode.ready.data, "host", "download,preheat");
  const headers = { ...ELSEWHERE, ...bearer(token) };
  const register = (wanted: string, more: Record<string, string> = {}) =>
    call(`${cluster.url}/api/v1/tasks`, { method: "POST", headers: more, body: JSON.stringify({ url: wanted, loopback: true }) });
  await until(async () => (await register("ftp://h/f", headers)).status === 400, LIMIT_MS);
  t.is((await register(url)).status, 200, "the loopback, for a caller on it");
  for (const denied of [url, url.replace("127.0.0.1", "localhost"), cluster.url, "http://[::ffff:7f00:1]:80/f", "hdfs://127.0.0.1:9/f"]) {
    const answer = await register(denied, headers);
    t.is(answer.status, 403, denied);
    t.is(JSON.parse(answer.body).error.code, "forbidden");
  }
  for (const denied of ["http://169.254.169.254/latest/meta-data/", "http://2852039166/", "http://[fe80::1]/", "http://0.0.0.0:8002/"])
    t.is((await register(denied)).status, 403, denied);
  const image = JSON.stringify({ image: "169.254.169.254/team/app:v1", insecure: true });
  const { id } = JSON.parse((await call(`${cluster.url}/api/v1/preheats`, { method: "POST", body: image })).body);
  const job = async () => JSON.parse((await call(`${cluster.url}/api/v1/preheats/${id}`)).body);
  await until(async () => (await job()).state === "failed", LIMIT_MS);
  t.is((await job()).error.code, "forbidden");
  const paths = new Set(origin.requests.map(({ path }) => path));
  t.deepEqual([...paths], ["/f"]);
});

test("changes and refusals are in the audit log, who and from where", async (t) => {
  await using cluster = await Cluster.start();
  const { url } = cluster;
  await call(`${url}/api/v1/limits`, { method: "PUT", body: JSON.stringify({ uploadBytesPerSecond: 1_000_000 }) });
  await call(`${url}/api/v1/cache/gc`, { method: "POST", headers: ELSEWHERE, body: "{}" });
  const { entries } = JSON.parse((await call(`${url}/api/v1/audit?limit=2`)).body);
  t.like(entries[0], { who: "anyone", address: "127.0.0.1", what: "POST /api/v1/cache/gc", outcome: 401 });
  t.like(entries[1], { who: "local", what: "PUT /api/v1/limits", outcome: 200 });
  const file = await readFile(join(cluster.supernode.ready.data, "audit.jsonl"), "utf8");
  t.is(file.trim().split("\n").length, 2);
});

test("too many requests of one address get 429 with Retry-After, and others do not suffer", async (t) => {
  await using cluster = await Cluster.start({ supernodeArgs: ["--request-limit", "5"] });
  const headers = ELSEWHERE;
  const answers = await Promise.all(Array.from({ length: 60 }, () => call(`${cluster.url}/api/v1/tasks`, { headers })));
  const limited = answers.filter(({ status }) => status === 429);
  t.true(limited.length >= 20, `${limited.length}`);
  t.true(Number(limited[0].headers["retry-after"]) >= 1);
  t.like(JSON.parse(limited[0].body).error, { code: "rate_limited" });
  t.is((await call(`${cluster.url}/api/v1/tasks`)).status, 200, "this machine");
});

test("bodies and headers are bounded in length and time", async (t) => {
  await using cluster = await Cluster.start();
  const { url } = cluster;
  const long = await call(`${url}/api/v1/tasks`, { method: "POST", body: JSON.stringify({ url: "x".repeat(1024 * 1024) }) });
  t.is(long.status, 413);
  t.is(long.headers.connection, "close");
  const foreign = await call(`${url}/api/v1/cache/gc`, { method: "POST", headers: { origin: "http://evil.example" }, body: "{}" });
  t.is(foreign.status, 403);
  const rebound = await call(`${url}/api/v1/tasks`, { headers: { host: "evil.example" } });
  t.is(rebound.status, 401);
  // a request line that never ends: node's headersTimeout of 15 s, checked every few seconds, ends it
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const startMs = Date.now();
  socket.write("GET /api/v1/tasks HTTP/1.1\r\nhost: x\r\n");
  const drip = setInterval(() => socket.write("x-a: b\r\n"), 1000);
  await new Promise<void>((resolve) => {
    socket.on("close", () => resolve());
    socket.on("error", () => resolve());
    socket.resume();
  });
  clearInterval(drip);
  t.true(Date.now() - startMs < 60_000);
});
