/** Which content names its digest, and whether a file has it. */
import { hash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { blobDigest, fileDigest } from "../../../seeder/check-blob.ts";
import { temporaryFolder } from "../../support/folders.ts";

const SHORT = "a".repeat(64);
const LONG = "b".repeat(128);
const at = (path: string) => blobDigest({ url: `https://r.example${path}`, headers: {} });

test("blobDigest() reads the digest of a registry's blob, and of nothing else", (t) => {
  t.deepEqual(at(`/v2/a/b/blobs/sha256:${SHORT}`), { algorithm: "sha256", hex: SHORT });
  t.deepEqual(at(`/v2/a/blobs/sha256%3A${SHORT}?ns=x`), { algorithm: "sha256", hex: SHORT });
  t.deepEqual(at(`/v2/a/blobs/sha512:${LONG}`), { algorithm: "sha512", hex: LONG });
  for (const path of [
    `/v2/a/manifests/sha256:${SHORT}`,
    `/v2/blobs/sha256:${SHORT}`,
    `/blobs/sha256:${SHORT}`,
    `/v2/a/blobs/sha256:${LONG}`,
    `/v2/a/blobs/sha512:${SHORT}`,
    `/v2/a/blobs/md5:${SHORT}`,
    `/v2/a/blobs/sha256:${SHORT}/x`,
    `/v2/a/blobs/sha256:${SHORT.toUpperCase()}`,
  ])
    t.is(at(path), undefined, path);
  const window = { firstByte: 0, lastByte: 5 };
  t.is(blobDigest({ url: `https://r.example/v2/a/blobs/sha256:${SHORT}`, headers: {}, window }), undefined);
});

test("fileDigest() is over the content's length, whatever lies behind it", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "data");
  await writeFile(path, "content and more");
  const { signal } = new AbortController();
  t.is(await fileDigest({ path, lengthBytes: 7 }, "sha256", signal), hash("sha256", "content", "hex"));
  t.is(await fileDigest({ path, lengthBytes: 7 }, "sha512", signal), hash("sha512", "content", "hex"));
  t.is(await fileDigest({ path, lengthBytes: 0 }, "sha256", signal), hash("sha256", "", "hex"));
  await t.throwsAsync(fileDigest({ path, lengthBytes: 7 }, "sha256", AbortSignal.abort(new Error("stop"))));
});
