/**
 * Manifests on disk: verified content by digest, and what each tag named last. Drives files; small and few, so each is
 * one JSON file, written whole and renamed. Damaged files count as absent.
 * Bounded: MOST_ENTRIES of each kind; the ones written longest ago go.
 */
import { hash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasDigest, isDigest } from "../registry/digest.ts";

export interface StoredManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
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
/** So many writes between two looks at the number of files. */
const TRIM_EVERY = 500;
const MOST_IN_MEMORY = 200;

export class ManifestStore {
  readonly #contents: string;
  readonly #tags: string;
  readonly #memory = new Map<string, StoredManifest>();
  #writes = 0;

  private constructor(folder: string) {
    this.#contents = join(folder, "contents");
    this.#tags = join(folder, "tags");
  }

  static async open(folder: string): Promise<ManifestStore> {
    const store = new ManifestStore(folder);
    for (const path of [store.#contents, store.#tags]) await mkdir(path, { recursive: true, mode: 0o700 });
    return store;
  }

  async get(digest: string): Promise<StoredManifest | undefined> {
    const known = this.#memory.get(digest) ?? (await this.#read(digest));
    if (known !== undefined) this.#remember(known);
    return known;
  }

  /** Keeps content whose digest the caller has checked. */
  async put(manifest: StoredManifest): Promise<void> {
    const isNew = !this.#memory.has(manifest.digest) && (await this.#read(manifest.digest)) === undefined;
    this.#remember(manifest);
    if (!isNew) return;
    const { digest, mediaType, bytes } = manifest;
    await this.#write(join(this.#contents, fileOf(digest)), { digest, mediaType, content: bytes.toString("base64") });
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

  async #read(digest: string): Promise<StoredManifest | undefined> {
    const { mediaType, content } = await readJson(join(this.#contents, fileOf(digest)));
    if (typeof mediaType !== "string" || typeof content !== "string") return undefined;
    const bytes = Buffer.from(content, "base64");
    return hasDigest(bytes, digest) ? { bytes, mediaType, digest } : undefined;
  }

  #remember(manifest: StoredManifest): void {
    this.#memory.delete(manifest.digest);
    this.#memory.set(manifest.digest, manifest);
    if (this.#memory.size > MOST_IN_MEMORY) this.#memory.delete(this.#memory.keys().next().value as string);
  }

  async #write(path: string, value: object): Promise<void> {
    const part = `${path}.${randomBytes(4).toString("hex")}`;
    await writeFile(part, JSON.stringify(value), { mode: 0o600 });
    await rename(part, path);
    if (++this.#writes % TRIM_EVERY === 0) for (const folder of [this.#contents, this.#tags]) await trim(folder);
  }
}

/** Removes the oldest files beyond the bound. */
async function trim(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.length <= MOST_ENTRIES) return;
  const aged: { path: string; atMs: number }[] = [];
  for (const name of names) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) aged.push({ path, atMs: found.mtimeMs });
  }
  aged.sort((a, b) => a.atMs - b.atMs);
  for (const { path } of aged.slice(0, aged.length - MOST_ENTRIES)) await rm(path, { force: true });
}

function fileOf(digest: string): string {
  return digest.replace(":", "-");
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
