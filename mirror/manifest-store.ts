/**
 * Manifests on disk: verified content by repository and digest, and what each tag named last. Drives files; small and few, so
 * each is one JSON file, written whole and renamed. Damaged files count as absent.
 * Bounded: MOST_ENTRIES and MOST_BYTES of each kind on disk, MOST_MEMORY_BYTES in memory; the ones written longest ago go.
 *
 * Invariant: a manifest is found under the repository only that gave it: who may read one repository may not read another, and
 * another registry may call the same bytes something else.
 */
import { hash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasDigest, isDigest } from "../registry/digest.ts";

/** A manifest's content. */
export interface StoredManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: string;
}

/** Whose manifest it is. */
export interface ManifestName {
  readonly base: string;
  readonly repository: string;
  readonly digest: string;
}

/** What a tag named when the registry was asked last. */
export interface TagRecord {
  readonly digest: string;
  /** Milliseconds since 1970. */
  readonly seenAtMs: number;
  /** The registry gave it to a caller without credentials. */
  readonly open: boolean;
}

/** A tag as it was asked for: the registry may answer different Accepts differently. */
export interface TagName {
  readonly base: string;
  readonly repository: string;
  readonly reference: string;
  readonly accept: string;
}

const MOST_ENTRIES = 20_000;
const MOST_BYTES = 512 * 1024 * 1024;
/** So much is written between two looks at the number and length of files. */
const TRIM_WRITES = 500;
const TRIM_BYTES = 32 * 1024 * 1024;
const MOST_MEMORY_BYTES = 16 * 1024 * 1024;

export class ManifestStore {
  readonly #contents: string;
  readonly #tags: string;
  readonly #memory = new Map<string, StoredManifest>();
  #memoryBytes = 0;
  #writes = 0;
  #writtenBytes = 0;

  private constructor(folder: string) {
    this.#contents = join(folder, "contents");
    this.#tags = join(folder, "tags");
  }

  static async open(folder: string): Promise<ManifestStore> {
    const store = new ManifestStore(folder);
    for (const path of [store.#contents, store.#tags]) await mkdir(path, { recursive: true, mode: 0o700 });
    return store;
  }

  async get(name: ManifestName): Promise<StoredManifest | undefined> {
    const key = keyOf(name);
    const known = this.#memory.get(key) ?? (await this.#read(key, name.digest));
    if (known !== undefined) this.#remember(key, known);
    return known;
  }

  /** Keeps content whose digest the caller has checked. */
  async put(name: Omit<ManifestName, "digest">, manifest: StoredManifest): Promise<void> {
    const { digest, mediaType, bytes } = manifest;
    const key = keyOf({ ...name, digest });
    const isNew = !this.#memory.has(key) && (await this.#read(key, digest)) === undefined;
    this.#remember(key, manifest);
    if (isNew) await this.#write(join(this.#contents, key), { digest, mediaType, content: bytes.toString("base64") });
  }

  async tag(name: TagName): Promise<TagRecord | undefined> {
    const fields = await readJson(join(this.#tags, tagFile(name)));
    const { digest, seenAtMs, open } = fields;
    if (typeof digest !== "string" || !isDigest(digest) || typeof seenAtMs !== "number") return undefined;
    return { digest, seenAtMs, open: open === true };
  }

  async putTag(name: TagName, record: TagRecord): Promise<void> {
    await this.#write(join(this.#tags, tagFile(name)), { ...name, ...record });
  }

  async #read(key: string, digest: string): Promise<StoredManifest | undefined> {
    const { mediaType, content } = await readJson(join(this.#contents, key));
    if (typeof mediaType !== "string" || typeof content !== "string") return undefined;
    const bytes = Buffer.from(content, "base64");
    return hasDigest(bytes, digest) ? { bytes, mediaType, digest } : undefined;
  }

  #remember(key: string, manifest: StoredManifest): void {
    this.#forget(key);
    this.#memory.set(key, manifest);
    this.#memoryBytes += manifest.bytes.length;
    while (this.#memoryBytes > MOST_MEMORY_BYTES) this.#forget(this.#memory.keys().next().value as string);
  }

  #forget(key: string): void {
    this.#memoryBytes -= this.#memory.get(key)?.bytes.length ?? 0;
    this.#memory.delete(key);
  }

  async #write(path: string, value: object): Promise<void> {
    const part = `${path}.${randomBytes(4).toString("hex")}`;
    const text = JSON.stringify(value);
    await writeFile(part, text, { mode: 0o600 });
    await rename(part, path);
    this.#writes++;
    this.#writtenBytes += text.length;
    if (this.#writes < TRIM_WRITES && this.#writtenBytes < TRIM_BYTES) return;
    this.#writes = 0;
    this.#writtenBytes = 0;
    for (const folder of [this.#contents, this.#tags]) await trim(folder);
  }
}

/** Removes the oldest files beyond the bounds. */
async function trim(folder: string): Promise<void> {
  const files: { path: string; atMs: number; lengthBytes: number }[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) files.push({ path, atMs: found.mtimeMs, lengthBytes: found.size });
  }
  files.sort((a, b) => b.atMs - a.atMs);
  let bytes = 0;
  for (const [index, { path, lengthBytes }] of files.entries()) {
    bytes += lengthBytes;
    if (index >= MOST_ENTRIES || bytes > MOST_BYTES) await rm(path, { force: true });
  }
}

function keyOf({ base, repository, digest }: ManifestName): string {
  return hash("sha256", JSON.stringify([base, repository, digest]), "hex");
}

function tagFile({ base, repository, reference, accept }: TagName): string {
  return hash("sha256", JSON.stringify([base, repository, reference, accept]), "hex");
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
