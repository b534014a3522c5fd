/**
 * Images that engines can unpack: layers are gzipped tar files with one file of random bytes, so nothing about them compresses.
 */
import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { digestOf } from "../../registry/digest.ts";

const MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const BLOCK = 512;

export interface TestImage {
  /** The manifest's digest. */
  readonly digest: string;
  readonly manifest: Buffer;
  readonly mediaType: string;
  readonly config: Buffer;
  readonly layers: readonly Buffer[];
  /** Digests of the uncompressed layers. */
  readonly diffIds: readonly string[];
  /** Digests of configuration and layers. */
  readonly blobs: readonly string[];
}

/** An image for this machine with layers of about these lengths. */
export function makeImage(lengths: readonly number[]): TestImage {
  const tars = lengths.map((length, index) => tarOf(`layer${index}.bin`, randomBytes(length)));
  const layers = tars.map((tar) => gzipSync(tar, { level: 0 }));
  const diffIds = tars.map((tar) => digestOf(tar));
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const config = Buffer.from(
    JSON.stringify({ architecture, os: "linux", config: { Cmd: ["/none"] }, rootfs: { type: "layers", diff_ids: diffIds }, history: [] }),
  );
  const describe = (bytes: Buffer, mediaType: string): object => ({ mediaType, size: bytes.length, digest: digestOf(bytes) });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: describe(config, "application/vnd.docker.container.image.v1+json"),
      layers: layers.map((bytes) => describe(bytes, "application/vnd.docker.image.rootfs.diff.tar.gzip")),
    }),
  );
  const blobs = [config, ...layers].map((bytes) => digestOf(bytes));
  return { digest: digestOf(manifest), manifest, mediaType: MANIFEST, config, layers, diffIds, blobs };
}

/** Pushes it to a registry, as docker does: blobs, then the manifest. */
export async function pushTestImage(
  base: string,
  repository: string,
  tag: string,
  image: TestImage,
  authorization?: string,
): Promise<void> {
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  const api = `${base}/v2/${repository}`;
  for (const blob of [image.config, ...image.layers]) {
    const begun = await expectOk(fetch(`${api}/blobs/uploads/`, { method: "POST", headers }));
    const url = new URL(begun.headers.get("location") ?? "", api);
    url.searchParams.set("digest", digestOf(blob));
    await expectOk(
      fetch(url, { method: "PUT", headers: { ...headers, "content-type": "application/octet-stream" }, body: new Uint8Array(blob) }),
    );
  }
  const body = new Uint8Array(image.manifest);
  await expectOk(fetch(`${api}/manifests/${tag}`, { method: "PUT", headers: { ...headers, "content-type": image.mediaType }, body }));
}

async function expectOk(sent: Promise<Response>): Promise<Response> {
  const answer = await sent;
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${text}`);
  return answer;
}

/** A tar file with one file in it (POSIX ustar). */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(BLOCK);
  const put = (text: string, at: number): void => void header.write(text, at, "latin1");
  put(name, 0);
  put("0000644\0", 100);
  put("0000000\0", 108);
  put("0000000\0", 116);
  put(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  put("00000000000\0", 136);
  put("        ", 148);
  put("0", 156);
  put("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
  return Buffer.concat([header, content, padding, Buffer.alloc(2 * BLOCK)]);
}
