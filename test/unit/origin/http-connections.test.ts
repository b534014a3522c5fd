/** How origins are connected to: proxies of the environment, TLS with own authorities. Serial: the environment is shared. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { type HttpOriginOptions, openHttpOrigin } from "../../../origin/http-origin.ts";
import { makeCertificate } from "../../support/certificates.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { ProxyServer } from "../../support/proxy-server.ts";
import { ScriptedOrigin, seededBytes } from "../../support/scripted-origin.ts";
import { failsWith, readAll, timeLimit } from "./read-all.ts";

const CONTENT = seededBytes(8, 200_000);

/** A back end that lives as long as the block, opened with these variables. */
function openWith(options: HttpOriginOptions, variables: Readonly<Record<string, string>> = {}) {
  Object.assign(process.env, variables);
  try {
    const origin = openHttpOrigin(options);
    return { origin, [Symbol.asyncDispose]: () => origin.close() };
  } finally {
    for (const name of Object.keys(variables)) if (name !== "no_proxy") delete process.env[name];
  }
}

test.beforeEach(() => {
  for (const name of ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"]) delete process.env[name];
});

test.serial("https origins are trusted with --origin-ca, or without any check, and not otherwise", async (t) => {
  await using tls = await makeCertificate();
  await using server = await ScriptedOrigin.start({ tls });
  const request = { url: server.add("/f", CONTENT).url, headers: {} };
  await using plain = openWith({});
  await failsWith(t, plain.origin.probe(request, { signal: timeLimit() }), { code: "origin_unreachable", retriable: false });
  await using trusting = openWith({ caFile: tls.caFile });
  t.true((await readAll(trusting.origin, request)).equals(CONTENT));
  await using careless = openWith({ insecure: true });
  t.true((await readAll(careless.origin, request)).equals(CONTENT));
});

test.serial("a missing or empty authority file is a bad request at start", async (t) => {
  await using folder = await temporaryFolder();
  const empty = join(folder.path, "empty.pem");
  await writeFile(empty, "nothing");
  for (const caFile of [empty, join(folder.path, "missing.pem")])
    t.throws(() => openHttpOrigin({ caFile }), { message: new RegExp(caFile) });
});

test.serial("http goes through http_proxy as it is, and past it for hosts of no_proxy", async (t) => {
  await using proxy = await ProxyServer.start();
  await using server = await ScriptedOrigin.start();
  const request = { url: server.add("/f", CONTENT).url, headers: { "x-one": "1" } };
  await using through = openWith({}, { http_proxy: `http://127.0.0.1:${proxy.port}` });
  t.like(await through.origin.probe(request, { signal: timeLimit() }), { lengthBytes: CONTENT.length, ranges: true });
  t.true((await readAll(through.origin, request)).equals(CONTENT));
  t.deepEqual(proxy.requests, [`GET ${request.url}`, `GET ${request.url}`]);
  t.like(server.requests[1].headers, { "x-one": "1", host: new URL(server.url).host });
  await using past = openWith({}, { http_proxy: `http://127.0.0.1:${proxy.port}`, no_proxy: "127.0.0.1" });
  t.true((await readAll(past.origin, request)).equals(CONTENT));
  t.is(proxy.requests.length, 2);
});

test.serial("https goes through a tunnel of https_proxy, its certificate checked end to end", async (t) => {
  await using tls = await makeCertificate();
  await using proxy = await ProxyServer.start();
  await using server = await ScriptedOrigin.start({ tls });
  const request = { url: server.add("/f", CONTENT).url, headers: { authorization: "Bearer secret" } };
  const variables = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
  await using through = openWith({ caFile: tls.caFile }, variables);
  t.true((await readAll(through.origin, request)).equals(CONTENT));
  t.deepEqual(proxy.requests, [`CONNECT ${new URL(server.url).host}`]);
  await using distrusting = openWith({}, variables);
  await failsWith(t, distrusting.origin.probe(request, { signal: timeLimit() }), { code: "origin_unreachable" });
});

test.serial("a proxy gets the user and password of its variable, and its refusal comes through", async (t) => {
  await using proxy = await ProxyServer.start(`Basic ${Buffer.from("me:p@ss").toString("base64")}`);
  await using server = await ScriptedOrigin.start();
  const request = { url: server.add("/f", CONTENT).url, headers: {} };
  await using known = openWith({}, { http_proxy: `http://me:p%40ss@127.0.0.1:${proxy.port}` });
  t.true((await readAll(known.origin, request)).equals(CONTENT));
  t.false("proxy-authorization" in server.requests[0].headers);
  await using unknown = openWith({}, { http_proxy: `http://127.0.0.1:${proxy.port}` });
  await failsWith(t, unknown.origin.probe(request, { signal: timeLimit() }), { code: "origin_refused", status: 407 });
});

test.serial("a proxy that is not there is origin_unreachable", async (t) => {
  await using server = await ScriptedOrigin.start();
  const request = { url: server.add("/f", CONTENT).url, headers: {} };
  await using origin = openWith({}, { http_proxy: "http://127.0.0.1:1" });
  await failsWith(t, origin.origin.probe(request, { signal: timeLimit() }), { code: "origin_unreachable" });
});
