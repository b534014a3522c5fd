/** What an origin that is read for others may be: checked at the connection, through names, redirects, proxies and other schemes. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import test, { type ExecutionContext } from "ava";
import { openOrigin } from "../../../origin/open-origin.ts";
import { withGuard } from "../../../origin/origin-guard.ts";
import type { OriginRequest, SharedOrigin } from "../../../origin/types.ts";
import { parseRanges } from "../../../system/reach.ts";
import { ProxyServer } from "../../support/proxy-server.ts";

interface Listening extends AsyncDisposable {
  readonly port: number;
  readonly seen: string[];
}

/** Answers each request with the text "hello", or a redirect. */
async function listen(redirect?: () => string): Promise<Listening> {
  const seen: string[] = [];
  const server: Server = createServer((request, response) => {
    seen.push(request.url ?? "");
    const location = redirect?.();
    if (location !== undefined) response.writeHead(302, { location });
    response.end(location === undefined ? "hello" : "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function guarded(flags: { allow?: string; deny?: string } = {}, options: Parameters<typeof withGuard>[0] = {}) {
  const ranges = (text: string | undefined) => (text === undefined ? undefined : parseRanges(text, undefined));
  const origin = openOrigin(withGuard(options, { originAllow: ranges(flags.allow), originDeny: ranges(flags.deny) }));
  return Object.assign(origin, { [Symbol.asyncDispose]: () => origin.close() });
}

const request = (url: string, loopback?: boolean): OriginRequest => ({ url, headers: {}, loopback });
const ask = (origin: SharedOrigin, asked: OriginRequest) => origin.probe(asked, { signal: AbortSignal.timeout(10_000) });

async function isDenied(t: ExecutionContext, asking: Promise<unknown>, what?: string): Promise<void> {
  const error = await t.throwsAsync(asking, { name: "SkimmerError", message: /may not be fetched/ }, what);
  t.is((error as { code?: string }).code, "forbidden", what);
}

test("metadata and loopback are denied in every spelling of their address, and nothing is sent there", async (t) => {
  await using victim = await listen();
  await using origin = guarded();
  for (const host of [
    "169.254.169.254",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]",
  ])
    await isDenied(t, ask(origin, request(`http://${host}/latest/meta-data`, true)), host);
  for (const host of ["127.0.0.1", "localhost", "2130706433", "0177.1", "127.1", "[::ffff:7f00:1]", "0.0.0.0"])
    await isDenied(t, ask(origin, request(`http://${host}:${victim.port}/f`)), host);
  t.deepEqual(victim.seen, []);
});

test("a caller on this machine has its loopback read; one elsewhere does not come by the same connection", async (t) => {
  await using server = await listen();
  await using origin = guarded();
  const url = `http://127.0.0.1:${server.port}/f`;
  t.is((await ask(origin, request(url, true))).lengthBytes, 5);
  t.is((await ask(origin, request(url.replace("127.0.0.1", "localhost"), true))).lengthBytes, 5);
  await isDenied(t, ask(origin, request(url)));
  t.is(server.seen.length, 2);
});

test("a redirect is a connection of its own", async (t) => {
  await using victim = await listen();
  await using server = await listen(() => `http://127.0.0.2:${victim.port}/secret`);
  await using origin = guarded({ allow: "127.0.0.1" });
  await isDenied(t, ask(origin, request(`http://127.0.0.1:${server.port}/f`)));
  t.is(server.seen.length, 1);
  t.deepEqual(victim.seen, []);
});

test("what is allowed or denied by option is, and webhdfs obeys", async (t) => {
  await using server = await listen();
  await using open = guarded({ allow: "loopback" });
  t.is((await ask(open, request(`http://127.0.0.1:${server.port}/f`))).lengthBytes, 5);
  await using closed = guarded({ deny: "127.0.0.0/8" });
  await isDenied(t, ask(closed, request(`http://127.0.0.1:${server.port}/f`, true)));
  await isDenied(t, ask(closed, request(`hdfs://127.0.0.1:${server.port}/f`, true)));
  await isDenied(t, ask(guarded(), request("webhdfs://169.254.169.254/f", true)));
});

test("the S3 endpoint that the owner set up is open wherever it is, and nothing beside it", async (t) => {
  await using server = await listen();
  await using other = await listen();
  await using origin = guarded({}, { s3: { endpoint: `http://127.0.0.1:${server.port}`, region: "us-east-1", pathStyle: true } });
  const keys = { "x-s3-access-key-id": "k", "x-s3-secret-access-key": "s" };
  t.is((await ask(origin, { url: "s3://bucket/f", headers: keys })).lengthBytes, 5);
  await isDenied(t, ask(origin, request(`http://127.0.0.1:${other.port}/f`)));
});

test.serial("through a proxy the target counts, not the proxy's own address", async (t) => {
  await using proxy = await ProxyServer.start();
  await using server = await listen();
  const before = process.env.http_proxy;
  process.env.http_proxy = `http://127.0.0.1:${proxy.port}`;
  try {
    await using origin = guarded();
    t.is((await ask(origin, request(`http://127.0.0.1:${server.port}/f`, true))).lengthBytes, 5);
    await isDenied(t, ask(origin, request(`http://127.0.0.1:${server.port}/f`)));
    await isDenied(t, ask(origin, request(`http://localhost:${server.port}/f`)));
    await isDenied(t, ask(origin, request("http://169.254.169.254/f", true)));
    t.is(server.seen.length, 1);
  } finally {
    if (before === undefined) delete process.env.http_proxy;
    else process.env.http_proxy = before;
  }
});
