/**
 * All blobs (configurations and layers) of an image, for every platform or for chosen ones. Drives a RegistryClient.
 * Bounded: MOST_MANIFESTS manifests, MOST_BLOBS blobs, indexes nested at most MOST_DEPTH deep.
 */
import { SkimmerError } from "../system/errors.ts";
import { type Descriptor, isPlatform, type Platform, parseManifest, platformName } from "./manifest.ts";
import type { RegistryClient } from "./registry-client.ts";

const MOST_MANIFESTS = 200;
const MOST_BLOBS = 5000;
const MOST_DEPTH = 3;

export interface ImageBlobs {
  /** Of what the reference named. */
  readonly digest: string;
  readonly blobs: readonly Descriptor[];
}

export interface BlobsQuestion {
  readonly repository: string;
  readonly reference: string;
  /** Absent: all platforms. */
  readonly platforms?: readonly Platform[];
  readonly signal: AbortSignal;
}

/** Reads manifests until every blob is known. Rejects with SkimmerError origin_*. */
export async function listImageBlobs(client: RegistryClient, question: BlobsQuestion): Promise<ImageBlobs> {
  const { repository, reference, signal } = question;
  const top = await client.manifest({ repository, reference, signal });
  const blobs = new Map<string, Descriptor>();
  const open = [{ bytes: top.bytes, depth: 0 }];
  const seen = new Set([top.digest]);
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const manifest = parseManifest(next.bytes);
    if (manifest.kind === "image") {
      for (const blob of manifest.blobs) blobs.set(blob.digest, blob);
      if (blobs.size > MOST_BLOBS) throw tooLarge(question, `${MOST_BLOBS} layers`);
      continue;
    }
    const wanted = chosen(manifest.manifests, question).filter(({ digest }) => !seen.has(digest));
    for (const { digest } of wanted) seen.add(digest);
    if (next.depth === MOST_DEPTH || seen.size > MOST_MANIFESTS) throw tooLarge(question, `${MOST_MANIFESTS} manifests`);
    for (const { digest } of wanted) {
      const { bytes } = await client.manifest({ repository, reference: digest, signal });
      open.push({ bytes, depth: next.depth + 1 });
    }
  }
  return { digest: top.digest, blobs: [...blobs.values()] };
}

/** Entries without a platform (nested indexes, artifacts) go with each choice; "unknown" ones (attestations) only with all. */
function chosen<T extends { platform: Platform | undefined }>(entries: readonly T[], question: BlobsQuestion): T[] {
  const { platforms } = question;
  if (platforms === undefined) return [...entries];
  const fitting = entries.filter(({ platform }) => platform === undefined || platforms.some((wanted) => isPlatform(platform, wanted)));
  if (fitting.length > 0 || entries.length === 0) return fitting;
  const has = entries.map(({ platform }) => platform && platformName(platform)).filter((name) => !name?.startsWith("unknown/"));
  throw new SkimmerError(
    "origin_not_found",
    `${question.repository}:${question.reference} is not there for ${platforms.map(platformName).join(", ")}`,
    { hint: `It is there for ${has.slice(0, 20).join(", ")}.` },
  );
}

function tooLarge({ repository, reference }: BlobsQuestion, what: string): SkimmerError {
  return new SkimmerError("origin_failed", `${repository}:${reference} names more than ${what}`);
}
