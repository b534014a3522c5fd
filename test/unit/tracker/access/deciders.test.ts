import test from "ava";
import { type AccessRules, type Credentials, checkSameSite, checkScopes, identify } from "../../../../tracker/access/identify.ts";
import { limitKey, RequestLimits } from "../../../../tracker/access/request-limits.ts";
import { hasScope, type Identity, mayReadPrivateNames, SCOPES, scopesFor } from "../../../../tracker/access/scopes.ts";
import { findToken, hashToken, parseTokens, tokenOf, tokenText } from "../../../../tracker/access/token-list.ts";
import { OPENAPI } from "../../../../tracker/openapi.ts";
import { refuses } from "../../torrents/refuses.ts";

const TOKEN = tokenText(Buffer.alloc(32, 7));
const sha256 = hashToken(TOKEN).toString("hex");
const tokens = parseTokens({ tokens: [{ name: "hosts", scopes: ["download"], sha256, expires: "2030-01-01T00:00:00Z" }] });
const BEFORE = Date.parse("2029-12-31T00:00:00Z");
const AFTER = Date.parse("2030-01-01T00:00:00Z");

function from(changes: Partial<Credentials> = {}): Credentials {
  const none = { authorization: undefined, origin: undefined, fetchSite: undefined };
  return { address: "127.0.0.1", host: "127.0.0.1:8002", forwarded: false, ...none, ...changes };
}

function rules(mode: AccessRules["mode"] = "local"): AccessRules {
  return { mode, tokens, ownNames: ["node7"] };
}

test("findToken() knows a token by its hash until it expires, and nothing else", (t) => {
  t.is(findToken(tokens, TOKEN, BEFORE)?.name, "hosts");
  t.is(findToken(tokens, TOKEN, AFTER), undefined);
  for (const wrong of ["", TOKEN.slice(0, -1), `${TOKEN}A`, sha256, "x".repeat(10_000)]) t.is(findToken(tokens, wrong, BEFORE), undefined);
});

test("tokenOf() reads Bearer in any case, and Basic with the token as password", (t) => {
  t.is(tokenOf(`Bearer ${TOKEN}`), TOKEN);
  t.is(tokenOf(`bearer  ${TOKEN}`), TOKEN);
  t.is(tokenOf(`Basic ${Buffer.from(`anyone:${TOKEN}`).toString("base64")}`), TOKEN);
  for (const none of [undefined, "", "Digest abc", TOKEN]) t.is(tokenOf(none), undefined);
});

test("parseTokens() refuses what is malformed, and takes an empty file", (t) => {
  const good = { name: "a", scopes: ["read"], sha256 };
  t.deepEqual(parseTokens({}), []);
  t.deepEqual(parseTokens(null), []);
  for (const bad of [
    [{ ...good, name: "a b" }],
    [{ ...good, scopes: ["root"] }],
    [{ ...good, sha256: sha256.slice(2) }],
    [{ ...good, expires: "soon" }],
    [good, good],
    Array.from({ length: 1001 }, (_, index) => ({ ...good, name: `n${index}` })),
  ])
    refuses(t, () => parseTokens({ tokens: bad }), "bad_request");
});

test("identify() takes this machine's callers as local, but no proxies, no foreign names and no other hosts", (t) => {
  const scopes = (changes: Partial<Credentials>, mode?: AccessRules["mode"]) => identify(from(changes), rules(mode), BEFORE).scopes.length;
  for (const host of ["127.0.0.1:8002", "localhost:8002", "[::1]:8002", "10.0.0.5", "node7:8002", "a.localhost", undefined])
    t.is(scopes({ host }), SCOPES.length, String(host));
  t.is(scopes({ address: "::1" }), SCOPES.length);
  t.is(scopes({ address: "10.0.0.6" }), 0, "another host");
  t.is(scopes({ address: "" }), 0, "no address");
  t.is(scopes({ forwarded: true }), 0, "a proxy");
  t.is(scopes({ host: "evil.example:8002" }), 0, "DNS rebinding");
  t.is(scopes({}, "token"), 0);
  t.is(scopes({ address: "10.0.0.6" }, "open"), SCOPES.length);
});

test("identify() goes by the token first, wherever it comes from; one that is unknown counts as none", (t) => {
  const authorization = `Bearer ${TOKEN}`;
  t.deepEqual(identify(from({ address: "10.0.0.6", authorization }), rules("token"), BEFORE), {
    name: "hosts",
    address: "10.0.0.6",
    scopes: ["download"],
    hasToken: true,
    onThisMachine: false,
  });
  t.deepEqual(identify(from({ authorization }), rules(), BEFORE).scopes, ["download"]);
  t.is(identify(from({ authorization }), rules(), AFTER).name, "local");
  t.deepEqual(identify(from({ address: "10.0.0.6", authorization }), rules(), AFTER).scopes, []);
});

test("checkScopes() tells a missing token from an unknown one and from one without the scope", (t) => {
  const who = (changes: Partial<Identity>): Identity => ({
    name: "x",
    address: "10.0.0.6",
    scopes: [],
    hasToken: false,
    onThisMachine: false,
    ...changes,
  });
  const call = (identity: Identity, authorization?: string) => () => checkScopes(identity, ["preheat"], from({ authorization }));
  t.like(t.throws(call(who({}))), { code: "unauthorized", message: "this needs a token (scope preheat)" });
  t.like(t.throws(call(who({}), "Bearer no")), {
    code: "unauthorized",
    message: "the token is unknown here, or has expired (scope preheat)",
  });
  t.like(t.throws(call(who({ hasToken: true, scopes: ["read"] }))), {
    code: "forbidden",
    message: 'the token "x" has not the scope preheat that this needs',
  });
  t.notThrows(call(who({ scopes: ["preheat"] })));
  t.notThrows(call(who({ scopes: ["admin"] })));
  t.notThrows(() => checkScopes(who({}), [], from()));
});

test("checkSameSite() lets no page of another site change anything", (t) => {
  const call = (method: string, changes: Partial<Credentials>) => () => checkSameSite(method, from(changes));
  t.notThrows(call("POST", {}));
  t.notThrows(call("POST", { origin: "http://127.0.0.1:8002", fetchSite: "same-origin" }));
  t.notThrows(call("GET", { origin: "http://evil.example", fetchSite: "cross-site" }));
  for (const changes of [{ origin: "http://evil.example" }, { origin: "null" }, { fetchSite: "cross-site" }])
    refuses(t, call("POST", changes), "forbidden");
});

test("mayReadPrivateNames() is for tokens that may read, not for places", (t) => {
  const who = (scopes: Identity["scopes"], hasToken: boolean): Identity => ({
    name: "x",
    address: "",
    scopes,
    hasToken,
    onThisMachine: true,
  });
  t.true(mayReadPrivateNames(who(["read"], true)));
  t.true(mayReadPrivateNames(who(["admin"], true)));
  t.false(mayReadPrivateNames(who(["download"], true)));
  t.false(mayReadPrivateNames(who(SCOPES, false)));
  t.true(hasScope(who(["admin"], false), "read"));
});

test("scopesFor() wants admin for every change that no rule names, and cannot be led astray by the path's spelling", (t) => {
  t.deepEqual(scopesFor("DELETE", "/api/v1/tasks/abc"), ["admin"]);
  t.deepEqual(scopesFor("PATCH", "/api/v1/anything"), ["admin"]);
  t.deepEqual(scopesFor("GET", "/api/v1/anything"), ["read"]);
  for (const path of ["/api/v1/audit", "/API/V1/Audit", "/api/v1/audit/", "/api/v1/audit//"])
    t.deepEqual(scopesFor("GET", path), ["admin"], path);
  t.deepEqual(scopesFor("HEAD", "/api/v1/audit"), ["admin"]);
  t.deepEqual(scopesFor("POST", "/api/v1/tasks"), ["download"]);
  t.deepEqual(scopesFor("POST", "/api/v1/preheats"), ["preheat"]);
  t.deepEqual(scopesFor("GET", "/"), ["read"]);
});

test("scopesFor() leaves nothing open but what tells nothing of anybody", (t) => {
  const open = Object.entries(OPENAPI.paths).flatMap(([path, operations]) =>
    Object.keys(operations)
      .filter((method) => scopesFor(method.toUpperCase(), path.replace(/\{\w+\}/g, "x")).length === 0)
      .map((method) => `${method} ${path}`),
  );
  t.deepEqual(open.sort(), ["get /_ping", "get /api/v1/openapi.json", "get /healthy", "get /healthz"]);
});

test("RequestLimits.take() allows a burst of four seconds, then the rate, each key for itself", (t) => {
  const limits = new RequestLimits(10);
  const at = (key: string, nowMs: number) => limits.take(key, nowMs);
  for (let count = 0; count < 40; count++) t.is(at("a", 0), 0);
  t.is(at("a", 0), 100);
  t.is(at("b", 0), 0);
  // 250 ms at 10/s are 2.5 requests
  t.deepEqual([at("a", 250), at("a", 250), at("a", 250)], [0, 0, 50]);
  t.is(at("a", 100_000), 0);
  const none = new RequestLimits(0);
  for (let count = 0; count < 1000; count++) t.is(none.take("a", 0), 0);
});

test("limitKey() takes the /64 of an IPv6 address, however it is written", (t) => {
  t.is(limitKey("10.0.0.1"), "10.0.0.1");
  t.is(limitKey("2001:db8::1"), limitKey("2001:db8:0:0:ffff::2"));
  t.not(limitKey("2001:db8:0:1::1"), limitKey("2001:db8::1"));
  t.is(limitKey("fe80::1%eth0"), "fe80:0:0:0");
  t.is(limitKey("::1"), "0:0:0:0");
});
