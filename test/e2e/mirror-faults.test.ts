/**
 * Faults between mirror and registry, and between engine and mirror, with real daemons: the engine gets its layer or the registry's own
 * words, never a wrong or short one. What it gets when the host daemon itself fails is in test/unit/mirror/failures.test.ts.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import test from "ava";
import { accessRows, copiesSent, pull, startMirrorPlace, storedTasks } from "../support/mirror-place.ts";
import { until } from "../support/processes.ts";

const MIB = 1024 * 1024;

test("429 and 503 with Retry-After, for a layer and for a tag, reach the engine with it", async (t) => {
  await using place = await startMirrorPlace({ retryAfter: "7" });
  const { behaviour } = place.registry;
  const { ready } = await place.start("h0");
  for (const status of [429, 503])
    for (const path of [`/v2/team/app/blobs/sha256:${"1".repeat(64)}`, "/v2/team/app/manifests/v1"]) {
      behaviour.fail.set(path, status);
      const answer = await pull(ready.mirror + path);
      t.is(answer.status, status, path);
      t.is(answer.headers["retry-after"], "7", path);
      t.regex(answer.body.toString(), /scripted/);
    }
});

test("a registry that fails at first: the layer comes all the same", async (t) => {
  await using place = await startMirrorPlace();
  const { registry } = place;
  const { ready } = await place.start("h0");
  for (const status of [500, 502, 503]) {
    const bytes = randomBytes(MIB);
    const { digest } = registry.addBlob("team/app", bytes);
    const path = `/v2/team/app/blobs/${digest}`;
    registry.behaviour.failNext.set(path, [status, status]);
    const answer = await pull(ready.mirror + path);
    // the seeder is told so; then the mirror asks for itself, and hands on what it is told
    const good = answer.status === 200 ? answer : await pull(ready.mirror + path);
    t.true(good.complete && good.body.equals(bytes), `${status}`);
  }
});

test("a registry that is slow: bytes reach the engine as they come, in order, from one reading", async (t) => {
  // 3 MiB at some 3 MB/s
  await using place = await startMirrorPlace({ slowChunkBytes: 16 * 1024 });
  const bytes = randomBytes(3 * MIB);
  const { digest } = place.registry.addBlob("team/app", bytes);
  const { ready } = await place.start("h0");
  const sent = http.get(`${ready.mirror}/v2/team/app/blobs/${digest}`, { agent: false });
  const [answer] = (await once(sent, "response")) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  let isWholeAtFirst: boolean | undefined;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    isWholeAtFirst ??= (await storedTasks(ready.socket))[0]?.bytesHave === bytes.length;
    chunks.push(chunk);
  }
  t.false(isWholeAtFirst);
  t.true(Buffer.concat(chunks).equals(bytes));
  const copies = copiesSent(place.registry, digest, bytes.length);
  t.true(copies < 1.05, `${copies} copies`);
});

test("connections reset in the middle, behind redirects whose signatures run out: the layer comes whole", async (t) => {
  await using place = await startMirrorPlace({ redirectBlobs: true, signatureUses: 1 });
  const { registry } = place;
  const bytes = randomBytes(6 * MIB);
  const { digest } = registry.addBlob("team/app", bytes);
  const { ready } = await place.start("h0");
  const answer = await pull(`${ready.mirror}/v2/team/app/blobs/${digest}`);
  t.true(answer.complete && answer.body.equals(bytes));
  t.true(registry.storeRequests.some(({ status }) => status === 403));
  registry.behaviour.redirectBlobs = false;
  registry.behaviour.cutBlobsAfter = 100_000;
  const other = randomBytes(2 * MIB);
  const cut = await pull(`${ready.mirror}/v2/team/app/blobs/${registry.addBlob("team/app", other).digest}`);
  t.true(cut.complete && cut.body.equals(other));
});

test("an engine that is cut off and resumes with a range gets the rest of the same download", async (t) => {
  await using place = await startMirrorPlace();
  const { registry } = place;
  const bytes = randomBytes(16 * MIB);
  const { digest } = registry.addBlob("team/app", bytes);
  const daemon = await place.start("h0");
  const url = `${daemon.ready.mirror}/v2/team/app/blobs/${digest}`;
  const sent = http.get(url, { agent: false });
  const [answer] = (await once(sent, "response")) as [http.IncomingMessage];
  const kept: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    kept.push(chunk);
    length += chunk.length;
    if (length > MIB) break;
  }
  sent.destroy();
  const rest = await pull(url, { range: `bytes=${length}-`, "if-range": `"${digest}"` });
  t.is(rest.status, 206);
  t.true(Buffer.concat([...kept, rest.body]).equals(bytes));
  const copies = copiesSent(registry, digest, bytes.length);
  t.true(copies < 1.05, `${copies} copies`);
  await until(() => accessRows(daemon.stderr()).some(({ path, complete }) => path.includes(digest) && !complete));
});

test("an engine that stops reading holds up nobody, and no more is sent to it than its connection takes", async (t) => {
  await using place = await startMirrorPlace();
  const bytes = randomBytes(32 * MIB);
  const { digest } = place.registry.addBlob("team/app", bytes);
  const daemon = await place.start("h0");
  const url = `${daemon.ready.mirror}/v2/team/app/blobs/${digest}`;
  const sent = http.get(url, { agent: false });
  sent.on("error", () => undefined);
  const [stalled] = (await once(sent, "response")) as [http.IncomingMessage];
  stalled.pause();
  const reader = await pull(url);
  t.true(reader.complete && reader.body.equals(bytes));
  sent.destroy();
  const rowOf = (): { bytes: number } | undefined => accessRows(daemon.stderr()).find(({ complete }) => !complete);
  await until(() => rowOf() !== undefined);
  const toStalled = rowOf()?.bytes ?? 0;
  t.true(toStalled < 16 * MIB, `${toStalled} bytes`);
});
