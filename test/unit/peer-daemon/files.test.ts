/** What the daemon does with files: outputs, digests, the index of tasks. */
import { link, mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { compareDigests, digestFile, wantedDigests } from "../../../peer/daemon/content-digest.ts";
import { openLocalKey } from "../../../peer/daemon/local-key.ts";
import { checkOutput } from "../../../peer/daemon/output-check.ts";
import type { TaskEntry } from "../../../peer/daemon/task-entry.ts";
import { isLinkIntact, linkedFileOf, TaskIndex } from "../../../peer/daemon/task-index.ts";
import { MIN_LINK_BYTES, writeOutput, writeOutputBytes } from "../../../peer/daemon/write-output.ts";
import { publicKeyBytes } from "../../../torrents/cluster-key.ts";
import type { InfoHash } from "../../../torrents/ids.ts";
import { temporaryFolder } from "../../support/folders.ts";

const NEVER = new AbortController().signal;

test("checkOutput() says why a path cannot be written", async (t) => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "file"), "x");
  await t.throwsAsync(checkOutput(folder.path), { code: "output_unwritable", message: /is a folder/ });
  await t.throwsAsync(checkOutput(join(folder.path, "no", "file")), { code: "output_unwritable", message: /does not exist/ });
  await t.throwsAsync(checkOutput(join(folder.path, "file", "x")), { code: "output_unwritable", message: /not a folder/ });
  await t.throwsAsync(checkOutput(join(folder.path, "n".repeat(300))), { code: "output_unwritable", message: /too long/ });
  t.is((await checkOutput(join(folder.path, "new"))).kind, "file");
  t.is((await checkOutput("/dev/null")).kind, "stream");
});

test("checkOutput() follows symbolic links", async (t) => {
  await using folder = await temporaryFolder();
  await mkdir(join(folder.path, "there"));
  await writeFile(join(folder.path, "there", "real"), "x");
  await symlink(join(folder.path, "there", "real"), join(folder.path, "name"));
  const target = await checkOutput(join(folder.path, "name"));
  t.is(target.path, join(folder.path, "there", "real"));
});

test("writeOutput() replaces the old file with the whole new one, with the wanted mode, and leaves nothing else", async (t) => {
  await using folder = await temporaryFolder();
  const source = join(folder.path, "data");
  await writeFile(source, "new content");
  await mkdir(join(folder.path, "out"));
  const output = join(folder.path, "out", "file");
  await writeFile(output, "old");
  await writeOutput({ path: source, lengthBytes: 11 }, await checkOutput(output), { mode: 0o640, mayLink: true, signal: NEVER });
  t.is(await readFile(output, "utf8"), "new content");
  t.is((await stat(output)).mode & 0o777, 0o640);
  t.not((await stat(output)).ino, (await stat(source)).ino);
  t.deepEqual(await readdir(join(folder.path, "out")), ["file"]);
});

test("writeOutput() links large files at most once, and knows an output that is there already", async (t) => {
  await using folder = await temporaryFolder();
  const source = { path: join(folder.path, "data"), lengthBytes: MIN_LINK_BYTES };
  await writeFile(source.path, Buffer.alloc(source.lengthBytes));
  const options = { mode: 0o644, mayLink: true, signal: NEVER };
  const first = await checkOutput(join(folder.path, "a"));
  const written = await writeOutput(source, first, options);
  t.true(written === "linked" || written === "reflinked");
  if (written === "linked") t.is(await writeOutput(source, first, options), "already_there");
  await writeOutput(source, await checkOutput(join(folder.path, "b")), options);
  t.not((await stat(join(folder.path, "b"))).ino, (await stat(join(folder.path, "a"))).ino);
});

test("writeOutput() copies where a link is not allowed, and writes nothing when cancelled", async (t) => {
  await using folder = await temporaryFolder();
  const source = { path: join(folder.path, "data"), lengthBytes: MIN_LINK_BYTES };
  await writeFile(source.path, Buffer.alloc(source.lengthBytes));
  const target = await checkOutput(join(folder.path, "a"));
  await t.throwsAsync(writeOutput(source, target, { mode: 0o644, mayLink: false, signal: AbortSignal.abort(new Error("no")) }), {
    message: "no",
  });
  t.deepEqual(await readdir(folder.path), ["data"]);
  await writeOutput(source, target, { mode: 0o644, mayLink: false, signal: NEVER });
  t.not((await stat(target.path)).ino, (await stat(source.path)).ino);
});

test("writeOutput() streams into what is not a file", async (t) => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "data"), "x");
  t.is(
    await writeOutput(
      { path: join(folder.path, "data"), lengthBytes: 1 },
      { kind: "stream", path: "/dev/null" },
      { mode: 0o644, mayLink: true, signal: NEVER },
    ),
    "streamed",
  );
});

test("writeOutputBytes() writes empty content", async (t) => {
  await using folder = await temporaryFolder();
  await writeOutputBytes(Buffer.alloc(0), await checkOutput(join(folder.path, "empty")), 0o600);
  const { size, mode } = await stat(join(folder.path, "empty"));
  t.is(size, 0);
  t.is(mode & 0o777, 0o600);
});

test("digestFile() hashes exactly the given length; compareDigests() names the difference", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "f");
  await writeFile(path, "abcdef");
  const found = await digestFile(path, { names: ["sha256", "md5"], lengthBytes: 3, signal: NEVER });
  t.is(found.md5, "900150983cd24fb0d6963f7d28e17f72"); // RFC 1321, A.5: MD5("abc")
  t.is(found.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); // FIPS 180, "abc"
  t.notThrows(() => compareDigests(wantedDigests({ md5: found.md5, digest: `sha256:${found.sha256}` }), found));
  t.throws(() => compareDigests(wantedDigests({ md5: "0".repeat(32) }), found), { code: "digest_mismatch" });
  await t.throwsAsync(digestFile(path, { names: ["md5"], lengthBytes: 7, signal: NEVER }), { code: "internal" });
});

test("openLocalKey() makes the key once and replaces a damaged one", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "key.pem");
  const key = publicKeyBytes(await openLocalKey(path));
  t.deepEqual(publicKeyBytes(await openLocalKey(path)), key);
  t.is((await stat(path)).mode & 0o777, 0o600);
  await writeFile(path, "nonsense");
  t.notDeepEqual(publicKeyBytes(await openLocalKey(path)), key);
});

function entry(change: Partial<TaskEntry> & { infoHash: InfoHash }): TaskEntry {
  return {
    url: "http://h/f",
    originKey: "k",
    name: "f",
    lengthBytes: 5,
    pieceLengthBytes: 262_144,
    validators: { etag: '"1"' },
    liveInfo: "",
    trackers: [],
    local: true,
    volatile: false,
    complete: false,
    lastUsedAtMs: 1,
    ...change,
  };
}

const A = "aa".repeat(20) as InfoHash;
const B = "bb".repeat(20) as InfoHash;
const C = "cc".repeat(20) as InfoHash;

test("TaskIndex keeps tasks over a restart, without volatile and damaged ones", async (t) => {
  await using folder = await temporaryFolder();
  const index = await TaskIndex.open(join(folder.path, "tasks"));
  await Promise.all([index.save(entry({ infoHash: A })), index.save(entry({ infoHash: B, volatile: true }))]);
  await Promise.all([index.update(A, { complete: true }), index.update(A, { lastUsedAtMs: 9 })]);
  await mkdir(join(folder.path, "tasks", C));
  await writeFile(join(folder.path, "tasks", C, "task.json"), "{");
  await mkdir(join(folder.path, "tasks", "not-ours"));
  const again = await TaskIndex.open(join(folder.path, "tasks"));
  t.deepEqual(
    again.list().map(({ infoHash }) => infoHash),
    [A],
  );
  t.like(again.get(A), { complete: true, lastUsedAtMs: 9 });
  t.deepEqual((await readdir(join(folder.path, "tasks"))).sort(), [A, "not-ours"]);
});

test("TaskIndex finds stored content by any hash, and by words and validators", async (t) => {
  await using folder = await temporaryFolder();
  const index = await TaskIndex.open(folder.path);
  await index.save(entry({ infoHash: A, infoHashV1: C, lastUsedAtMs: 5 }));
  await index.save(entry({ infoHash: B, complete: true }));
  t.is(index.findByHashes([undefined, C])?.infoHash, A);
  t.is(index.findByHashes([B, C])?.infoHash, B);
  t.is(index.findByHashes(["dd".repeat(20) as InfoHash]), undefined);
  const words = { originKey: "k", validators: { etag: '"1"' }, lengthBytes: 5 };
  t.is(index.findSame(words)?.infoHash, B);
  t.is(index.findSame({ ...words, validators: { etag: '"2"' } }), undefined);
  t.is(index.findSame({ ...words, validators: {} }), undefined);
  t.is(index.findSame({ ...words, originKey: "other" }), undefined);
});

test("TaskIndex.remove() leaves no folder, even while a write is under way", async (t) => {
  await using folder = await temporaryFolder();
  const index = await TaskIndex.open(folder.path);
  const saving = index.save(entry({ infoHash: A }));
  await index.remove(A);
  await saving;
  t.deepEqual(await readdir(folder.path), []);
});

test("isLinkIntact() notices a changed, shortened or missing file, and not a removed second name", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "data");
  await writeFile(path, "12345");
  const linked = await linkedFileOf(path);
  const task = entry({ infoHash: A, linked });
  await link(path, join(folder.path, "out"));
  t.true(await isLinkIntact(task));
  await utimes(path, 1, 1);
  t.false(await isLinkIntact(task));
  t.false(await isLinkIntact({ ...task, linked: { ...linked, path: join(folder.path, "gone") } }));
  t.true(await isLinkIntact({ ...task, linked: undefined }));
});
