/**
 * Which blobs the images of a repository consist of, in the order of their layers, as far as their manifests were given out here.
 * Decides. Tells what an engine is going to ask for next, and which blobs are a repository's while its registry cannot be asked.
 * Bounded: MOST_BLOBS over all images; the image whose manifest was given out longest ago goes.
 */
import type { Descriptor, Manifest } from "../registry/manifest.ts";

export interface RepositoryName {
  /** API address of the registry. */
  readonly base: string;
  readonly repository: string;
}

type Image = Extract<Manifest, { kind: "image" }>;

const MOST_BLOBS = 100_000;

export class KnownImages {
  /** By repository and manifest, in the order of giving out. */
  readonly #images = new Map<string, Image>();
  /** Key of the image that named a repository's blob last. */
  readonly #imageOf = new Map<string, string>();

  /** The repository's image with this manifest digest was given out. */
  note(name: RepositoryName, manifestDigest: string, image: Image): void {
    const key = keyOf(name, manifestDigest);
    this.#images.delete(key);
    this.#images.set(key, image);
    for (const { digest } of image.blobs) this.#imageOf.set(keyOf(name, digest), key);
    while (this.#imageOf.size > MOST_BLOBS && this.#images.size > 1) this.#dropOldest();
  }

  /** Whether an image of the repository has this blob. */
  names(name: RepositoryName, digest: string): boolean {
    return this.#imageOf.has(keyOf(name, digest));
  }

  /**
   * What comes after this layer: later layers, then the configuration. An engine that lacks a layer lacks those above it, too, but
   * not those below; nothing follows a configuration, which is asked for whatever the engine has.
   */
  after(name: RepositoryName, digest: string): readonly Descriptor[] {
    const image = this.#images.get(this.#imageOf.get(keyOf(name, digest)) ?? "");
    if (image === undefined || digest === image.config) return [];
    const at = image.blobs.findIndex((blob) => blob.digest === digest);
    const layers = image.blobs.slice(at + 1).filter((blob) => blob.digest !== image.config);
    return [...layers, ...image.blobs.filter((blob) => blob.digest === image.config)];
  }

  #dropOldest(): void {
    const [key, { blobs }] = this.#images.entries().next().value as [string, Image];
    this.#images.delete(key);
    const [base, repository] = JSON.parse(key) as [string, string];
    for (const { digest } of blobs) {
      const blob = keyOf({ base, repository }, digest);
      if (this.#imageOf.get(blob) === key) this.#imageOf.delete(blob);
    }
  }
}

function keyOf({ base, repository }: RepositoryName, digest: string): string {
  return JSON.stringify([base, repository, digest]);
}
