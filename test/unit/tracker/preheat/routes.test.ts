/** The preheat routes of a supernode without a seeder: what is taken, refused, listed and shown. */
import test from "ava";
import { type JsonResponse, requestJson } from "../../../../system/json-http.ts";
import { startSupernode } from "../support/start-supernode.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

function caller(url: string) {
  return (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<JsonResponse> =>
    requestJson({ url: url + path, method, body, headers });
}

test("our own API: 201 with Location, 200, 204, 404, 400", async (t) => {
  await using node = await startSupernode();
  const call = caller(node.url);
  const created = await call("POST", "/api/v1/preheats", { url: "http://127.0.0.1:1/f" });
  t.is(created.status, 201);
  const { id } = created.body as { id: string };
  t.is(created.headers.location, `/api/v1/preheats/${id}`);
  t.like((await call("GET", `/api/v1/preheats/${id}`)).body, { id, type: "file", url: "http://127.0.0.1:1/f" });
  const secret = await call("POST", "/api/v1/preheats", { image: "r.example/team/app:v1", username: "me", password: "hush" });
  t.false(JSON.stringify(secret.body).includes("hush"));
  t.deepEqual(
    ((await call("GET", "/api/v1/preheats")).body as { preheats: { id: string }[] }).preheats.map((job) => job.id),
    [id],
  );
  t.is((await call("GET", "/api/v1/preheats?limit=x")).status, 400);
  t.is((await call("DELETE", `/api/v1/preheats/${id}`)).status, 204);
  t.like((await call("GET", `/api/v1/preheats/${id}`)).body, { state: "cancelled" });
  t.is((await call("DELETE", `/api/v1/preheats/${id}`)).status, 204);
  t.is((await call("GET", `/api/v1/preheats/${id}`)).status, 404);
  t.is((await call("POST", "/api/v1/preheats", { url: "ftp://h/f" })).status, 400);
});

test("Dragonfly 1.0's API: 201 {ID}, the same ID while it is under way, list and delete", async (t) => {
  await using node = await startSupernode();
  const call = caller(node.url);
  const body = { type: "file", url: "http://127.0.0.1:1/f", filter: "sig&exp" };
  const first = await call("POST", "/preheats", body);
  t.is(first.status, 201);
  t.deepEqual((await call("POST", "/preheats", body)).body, first.body);
  const { ID } = first.body as { ID: string };
  t.like((await call("GET", `/preheats/${ID}`)).body, { ID, status: "RUNNING" });
  t.like(((await call("GET", "/preheats")).body as object[])[0], { ID });
  t.deepEqual(await call("DELETE", `/preheats/${ID}`).then((answer) => [answer.status, answer.body]), [200, true]);
  t.like((await call("GET", `/preheats/${ID}`)).body, { ID, status: "FAILED", errorMsg: "cancelled" });
  t.is((await call("GET", "/preheats/9")).status, 404);
});

test("Dragonfly 2's API has numbers for ids", async (t) => {
  await using node = await startSupernode();
  const call = caller(node.url);
  const created = await call("POST", "/oapi/v1/jobs", { type: "preheat", args: { type: "file", url: "http://127.0.0.1:1/f" } });
  const { id } = created.body as { id: number };
  t.true(Number.isSafeInteger(id) && id > 0);
  t.like((await call("GET", `/oapi/v1/jobs/${id}`)).body, { id, state: "PENDING", type: "preheat" });
});

test("webhooks: the secret alone or after Bearer, nothing else; 202 with the ids", async (t) => {
  await using node = await startSupernode({ webhooks: { secret: "s3cret", registry: "http://127.0.0.1:1" } });
  const call = caller(node.url);
  const target = {
    mediaType: "application/octet-stream",
    repository: "a/b",
    digest: DIGEST,
    url: `http://elsewhere/v2/a/b/blobs/${DIGEST}`,
  };
  const body = { events: [{ action: "push", target }] };
  const send = (authorization?: string): Promise<JsonResponse> =>
    call("POST", "/api/v1/webhooks/registry", body, authorization === undefined ? {} : { authorization });
  for (const wrong of [undefined, "", "s3cre", "s3cret2", "Bearer", "Basic s3cret"]) t.is((await send(wrong)).status, 401, wrong);
  const taken = await send("Bearer s3cret");
  t.is(taken.status, 202);
  t.deepEqual((await send("s3cret")).body, taken.body);
  const [id] = (taken.body as { preheats: string[] }).preheats;
  t.like((await call("GET", `/api/v1/preheats/${id}`)).body, { type: "file", url: `http://127.0.0.1:1/v2/a/b/blobs/${DIGEST}` });
  t.is((await call("POST", "/api/v1/webhooks/harbor", "x", { authorization: "s3cret" })).status, 400);
});
