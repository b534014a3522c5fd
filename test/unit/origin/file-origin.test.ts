/** file:// under allowed roots, on a real file system. */
import { appendFile, mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import test from "ava";
import { openFileOrigin } from "../../../origin/file-origin.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { seededBytes } from "../../support/scripted-origin.ts";
import { failsWith, readAll, timeLimit } from "./read-all.ts";

const CONTENT = seededBytes(3, 2_500_000);

/** A root with a file and a folder below it, and a secret beside it. */
async function setUp() {
  const folder = await temporaryFolder();
  const at = (...parts: string[]): string => join(folder.path, ...parts);
  await mkdir(at("root", "sub"), { recursive: true });
  await writeFile(at("root", "a b.bin"), CONTENT);
  await writeFile(at("root", "sub", "deep.bin"), "deep");
  await writeFile(at("secret"), "secret");
  const origin = openFileOrigin({ roots: [at("root")] });
  const request = (...parts: string[]) => ({ url: pathToFileURL(at(...parts)).href, headers: {} });
  return { at, origin, request, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

test("probe() and read() of a file, whole, in ranges, and through a window", async (t) => {
  await using to = await setUp();
  const request = to.request("root", "a b.bin");
  const probe = await to.origin.probe(request, { signal: timeLimit() });
  t.like(probe, { lengthBytes: CONTENT.length, ranges: true, name: "a b.bin" });
  t.regex(probe.validators.etag ?? "", /^"[0-9a-f]+(-[0-9a-f]+){3}"$/);
  t.true((await readAll(to.origin, request, probe)).equals(CONTENT));
  t.true((await readAll(to.origin, request, { firstByte: 1_000_000, lastByte: 2_100_000 })).equals(CONTENT.subarray(1_000_000, 2_100_001)));
  const window = { ...request, window: { firstByte: 100, lastByte: 9_999_999 } };
  t.is((await to.origin.probe(window, { signal: timeLimit() })).lengthBytes, CONTENT.length - 100);
  t.true((await readAll(to.origin, window, { firstByte: 5, lastByte: 9 })).equals(CONTENT.subarray(105, 110)));
  await failsWith(t, readAll(to.origin, request, { lastByte: CONTENT.length }), { code: "origin_failed" });
});

test("nothing outside the roots is read: neither by path, nor by link, nor by a link on the way", async (t) => {
  await using to = await setUp();
  await symlink(to.at("secret"), to.at("root", "link"));
  await symlink(to.at(), to.at("root", "up"));
  const outside = [["secret"], ["root", "link"], ["root", "up", "secret"], ["root", "missing"], ["rooted"]];
  const messages = new Set<string>();
  for (const parts of outside) {
    const request = to.request(...parts);
    await failsWith(t, to.origin.probe(request, { signal: timeLimit() }), { code: "origin_refused" });
    const error = await t.throwsAsync(readAll(to.origin, request));
    messages.add((error as Error).message.replace(request.url, "URL"));
  }
  t.is(messages.size, 1, "what is outside and what is missing cannot be told apart");
  const dots = { url: `${pathToFileURL(to.at("root")).href}/sub/..%2f..%2fsecret`, headers: {} };
  await failsWith(t, to.origin.probe(dots, { signal: timeLimit() }), { code: "bad_request" });
  await failsWith(t, openFileOrigin({ roots: [] }).probe(to.request("root", "a b.bin"), { signal: timeLimit() }), {
    code: "origin_refused",
  });
});

test("a link inside the roots is followed, and a root may itself be a link", async (t) => {
  await using to = await setUp();
  await symlink(to.at("root", "a b.bin"), to.at("root", "latest"));
  await symlink(to.at("root"), to.at("alias"));
  t.is((await readAll(to.origin, to.request("root", "latest"))).length, CONTENT.length);
  t.is((await readAll(openFileOrigin({ roots: [to.at("alias")] }), to.request("root", "a b.bin"))).length, CONTENT.length);
});

test("folders, pipes and foreign hosts are refused at once", async (t) => {
  await using to = await setUp();
  await failsWith(t, to.origin.probe(to.request("root", "sub"), { signal: timeLimit() }), { code: "bad_request" });
  await failsWith(t, to.origin.probe({ url: "file://elsewhere/x", headers: {} }, { signal: timeLimit() }), { code: "bad_request" });
});

test("a file that changes is origin_changed, before a byte of the new version counts", async (t) => {
  await using to = await setUp();
  const request = to.request("root", "a b.bin");
  const { validators } = await to.origin.probe(request, { signal: timeLimit() });
  let got = 0;
  const sink = async (chunk: Buffer): Promise<void> => {
    got += chunk.length;
    await appendFile(to.at("root", "a b.bin"), "more");
  };
  const range = { firstByte: 0, lastByte: CONTENT.length - 1, validators };
  await failsWith(t, to.origin.read(request, range, sink, { signal: timeLimit() }), { code: "origin_changed" });
  t.true(got < CONTENT.length);
  await utimes(to.at("root", "a b.bin"), 1, 1);
  await failsWith(t, readAll(to.origin, request, { validators }), { code: "origin_changed" });
});

test("list() shows one level, sorted, bounded, without links", async (t) => {
  await using to = await setUp();
  await symlink(to.at("secret"), to.at("root", "link"));
  const request = to.request("root");
  const { entries, truncated } = (await to.origin.list?.(request, { signal: timeLimit(), most: 10 })) ?? t.fail();
  t.false(truncated);
  t.deepEqual(
    entries.map(({ name, isDirectory, lengthBytes }) => ({ name, isDirectory, lengthBytes })),
    [
      { name: "a b.bin", isDirectory: false, lengthBytes: CONTENT.length },
      { name: "sub", isDirectory: true, lengthBytes: undefined },
    ],
  );
  t.is((await readAll(to.origin, { url: entries[0].url, headers: {} })).length, CONTENT.length);
  t.like(await to.origin.list?.({ url: entries[1].url, headers: {} }, { signal: timeLimit(), most: 10 }), { truncated: false });
  t.like(await to.origin.list?.(request, { signal: timeLimit(), most: 1 }), { truncated: true });
  await failsWith(t, to.origin.list?.(to.request(), { signal: timeLimit(), most: 1 }) ?? Promise.resolve(), { code: "origin_refused" });
});
