/**
 * The proxy beside the mirror: rules, tunnels, opened TLS, login; and pushes, which pass through untouched.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test from "ava";
import { type Dispatcher, ProxyAgent, request } from "undici";
import { digestOf } from "../../registry/digest.ts";
import { makeCertificate } from "../support/certificates.ts";
import { Cluster } from "../support/cluster.ts";
import { hasDockerRegistry, startDockerRegistry } from "../support/docker-registry.ts";
import { accessRows, mirrorArguments, pull, storedTasks } from "../support/mirror-place.ts";
import { runCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";
import { ScriptedRegistry } from "../support/scripted-registry.ts";
import { makeImage, pushTestImage } from "../support/test-image.ts";

interface Got {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData["headers"];
  readonly body: Buffer;
}

async function get(url: string, dispatcher: Dispatcher, headers: Record<string, string> = {}): Promise<Got> {
  const answer = await request(url, { dispatcher, headers });
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.from(await answer.body.arrayBuffer()) };
}

test("rules: blobs through the swarm, files where a rule says so, the rest direct; refused and redirected", async (t) => {
  await using registry = await ScriptedRegistry.start();
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start();
  const blob = randomBytes(2_000_000);
  const { digest } = registry.addBlob("team/app", blob);
  const file = seededBytes(5, 3_000_000);
  const { url } = origin.add("/model.bin", file);
  origin.add("/plain.txt", Buffer.from("plain"));
  const rules = [
    "proxy:",
    "  rules:",
    "    - match: /v2/.*/blobs/sha256",
    "      action: swarm",
    "    - match: \\.bin$",
    "      action: swarm",
    "    - match: forbidden",
    "      action: refuse",
    `    - match: ^http://elsewhere\\.example/(.*)$`,
    `      redirect: ${new URL(url).origin}/$1`,
  ];
  const { ready } = await cluster.startDaemon("h0", await mirrorArguments(cluster.folder, registry.base, rules));
  await using proxy = withDispose(new ProxyAgent({ uri: ready.mirror, proxyTunnel: false }));
  const layer = await get(`${registry.base}/v2/team/app/blobs/${digest}`, proxy.agent);
  t.true(layer.body.equals(blob));
  t.regex(String(layer.headers["x-skimmer-task"]), /^[0-9a-f]{40}$/);
  const model = await get(url, proxy.agent);
  t.true(model.body.equals(file));
  t.is(model.headers["x-skimmer-source"], "swarm");
  t.truthy(model.headers.etag);
  const part = await get(url, proxy.agent, { range: "bytes=10-19" });
  t.is(part.status, 206);
  t.true(part.body.equals(file.subarray(10, 20)));
  const plain = await get(new URL("/plain.txt", url).href, proxy.agent);
  t.is(plain.body.toString(), "plain");
  t.is(plain.headers["x-skimmer-cache"], "bypass");
  t.is((await get("http://elsewhere.example/plain.txt", proxy.agent)).body.toString(), "plain");
  t.is((await get(`${new URL(url).origin}/forbidden`, proxy.agent)).status, 403);
  t.is((await get(`${new URL(url).origin}/absent.bin`, proxy.agent)).status, 404);
  // whoever has the proxy set for everything reaches the mirror through it too
  t.is((await get(`${ready.mirror}/v2/`, proxy.agent)).status, 200);
});

test("CONNECT: a tunnel as it is, or opened with the own authority, so that https layers go through the swarm", async (t) => {
  await using certificate = await makeCertificate();
  await using inner = await ScriptedRegistry.start();
  await using cluster = await Cluster.start({ supernodeArgs: ["--origin-ca", certificate.caFile] });
  const blob = randomBytes(1_000_000);
  const { digest } = inner.addBlob("team/app", blob);
  // TLS in front of the scripted registry
  const server = createServer({ key: certificate.key, cert: certificate.cert }, (incoming, outgoing) => {
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).filter(([name]) => name !== "host" && name !== "connection"),
    ) as Record<string, string>;
    request(inner.base + incoming.url, { headers }).then(
      async ({ statusCode, headers: answered, body }) => {
        outgoing.writeHead(statusCode, answered as Record<string, string>);
        outgoing.end(Buffer.from(await body.arrayBuffer()));
      },
      () => outgoing.destroy(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `https://127.0.0.1:${port}/v2/team/app/blobs/${digest}`;
  const made = await runCommand({ command: "dfdaemon", args: ["ca", "init", "--home", cluster.home("h0")] });
  t.is(made.exitCode, 0, made.stderr);
  t.is((await runCommand({ command: "dfdaemon", args: ["ca", "init", "--home", cluster.home("h0")] })).exitCode === 0, false);
  const more = ["--origin-ca", certificate.caFile];
  const plain = await cluster.startDaemon("h1", [...(await mirrorArguments(cluster.folder, inner.base)), ...more]);
  const opened = await cluster.startDaemon("h0", [
    ...(await mirrorArguments(cluster.folder, inner.base, ["proxy:", "  intercept:", "    - 127.0.0.1"])),
    ...more,
  ]);
  const theirs = await readFile(certificate.caFile, "utf8");
  const ours = await readFile(join(cluster.home("h0"), "ca", "ca.pem"), "utf8");
  {
    await using through = withDispose(new ProxyAgent({ uri: plain.ready.mirror, requestTls: { ca: theirs } }));
    const answer = await get(url, through.agent);
    t.true(answer.body.equals(blob));
    t.is(answer.headers["x-skimmer-cache"], undefined);
  }
  await using through = withDispose(new ProxyAgent({ uri: opened.ready.mirror, requestTls: { ca: ours } }));
  const answer = await get(url, through.agent);
  t.true(answer.body.equals(blob));
  t.regex(String(answer.headers["x-skimmer-task"]), /^[0-9a-f]{40}$/);
  await using stranger = withDispose(new ProxyAgent({ uri: opened.ready.mirror, requestTls: { ca: theirs } }));
  await t.throwsAsync(get(url, stranger.agent));
  server.closeAllConnections();
  server.close();
});

test("a proxy with a login: nothing without it, neither requests nor tunnels; the login goes no further", async (t) => {
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start();
  const { url } = origin.add("/plain.txt", Buffer.from("plain"));
  const yaml = ["proxy:", "  username: me", "  password: secret"];
  const { ready } = await cluster.startDaemon("h0", await mirrorArguments(cluster.folder, new URL(url).origin, yaml));
  const token = `Basic ${Buffer.from("me:secret").toString("base64")}`;
  for (const proxyTunnel of [false, true]) {
    await using bare = withDispose(new ProxyAgent({ uri: ready.mirror, proxyTunnel }));
    const refused = await get(url, bare.agent).then(
      ({ status }) => status,
      (error: Error) => error.message,
    );
    t.true(refused === 407 || /407/.test(String(refused)), String(refused));
    await using allowed = withDispose(new ProxyAgent({ uri: ready.mirror, token, proxyTunnel }));
    t.is((await get(url, allowed.agent)).body.toString(), "plain");
  }
  t.true(origin.requests.every(({ headers }) => headers["proxy-authorization"] === undefined));
});

/** Left out where docker-registry is not installed (apt-get install docker-registry); .ci/run installs it. */
const registryTest = hasDockerRegistry() ? test : test.skip;

registryTest("a push through the mirror arrives whole; its layers are in the swarm before anyone pulls", async (t) => {
  await using registry = await startDockerRegistry();
  await using cluster = await Cluster.start();
  const args = [...(await mirrorArguments(cluster.folder, registry.base)), "--mirror-preheat-pushes"];
  const daemon = await cluster.startDaemon("h0", args);
  const image = makeImage([3_000_000, 500_000]);
  await pushTestImage(daemon.ready.mirror, "team/app", "v1", image);
  const direct = await pull(`${registry.base}/v2/team/app/blobs/${image.blobs[1]}`);
  t.is(digestOf(direct.body), image.blobs[1]);
  await until(async () => (await storedTasks(daemon.ready.socket)).filter(({ complete }) => complete).length >= 3, 20_000);
  const layer = await pull(`${daemon.ready.mirror}/v2/team/app/blobs/${image.blobs[1]}`);
  t.is(layer.headers["x-skimmer-cache"], "hit");
  t.is(digestOf(layer.body), image.blobs[1]);
  const rows = accessRows(daemon.stderr());
  t.true(rows.some(({ method, status }) => method === "PUT" && status === 201));
});

test("dfget doctor pulls an image through the mirror", async (t) => {
  await using registry = await ScriptedRegistry.start({ auth: "bearer", anonymous: true });
  await using cluster = await Cluster.start();
  registry.addImage({ repository: "library/hello-world", tag: "latest", layers: [randomBytes(3000)] });
  // the realm as engines see it: a whole URL
  registry.behaviour.realm = `${registry.base}/token`;
  await cluster.startDaemon("h0", await mirrorArguments(cluster.folder, registry.base));
  const run = (more: readonly string[]) =>
    runCommand({ command: "dfget", args: ["doctor", "--json", "--home", cluster.home("h0"), "--supernode", cluster.url, ...more] });
  const findings = async (more: readonly string[]): Promise<{ name: string; status: string; message: string }[]> =>
    JSON.parse((await run(more)).stdout).findings;
  const good = (await findings([])).find(({ name }) => name === "mirror");
  t.is(good?.status, "ok", JSON.stringify(good));
  t.regex(good?.message ?? "", /hello-world .*2 blobs/);
  const bad = (await findings(["--image", "absent"])).find(({ name }) => name === "mirror");
  t.is(bad?.status, "wrong");
});

function withDispose(agent: ProxyAgent): { readonly agent: ProxyAgent } & AsyncDisposable {
  return { agent, [Symbol.asyncDispose]: () => agent.destroy() };
}
