/**
 * Manifests and indexes: Docker schema 2 and OCI, and which blobs and platforms they name. Decides; a stranger wrote them.
 */
import { SkimmerError } from "../system/errors.ts";
import { fieldReader, type JsonObject } from "../torrents/parse-fields.ts";
import { isDigest } from "./digest.ts";

/** Asked for with Accept, the richest first. */
export const MANIFEST_TYPES: readonly string[] = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

export interface Descriptor {
  readonly digest: string;
  readonly lengthBytes: number;
  readonly mediaType: string;
}

export type Manifest =
  | { readonly kind: "index"; readonly manifests: readonly (Descriptor & { readonly platform: Platform | undefined })[] }
  /** Configuration (its digest is `config`) and layers, each once, without those that a registry does not hold. */
  | { readonly kind: "image"; readonly blobs: readonly Descriptor[]; readonly config: string | undefined };

const MOST_ENTRIES = 1000;
const MOST_LENGTH = 2 ** 50;
const read = fieldReader("origin_failed", "the registry's manifest");
/** Layers that come from elsewhere by licence (Windows base layers): the registry does not have them. */
const FOREIGN = /\.(foreign|nondistributable)\./;

/** Throws SkimmerError `origin_failed`. */
export function parseManifest(bytes: Buffer): Manifest {
  const fields = read.object(parseJson(bytes), "content");
  if (Array.isArray(fields.manifests)) {
    const manifests = read.list(fields.manifests, "manifests", MOST_ENTRIES).map((entry) => {
      const one = read.object(entry, "manifests entry");
      return { ...parseDescriptor(one), platform: parsePlatform(one.platform) };
    });
    return { kind: "index", manifests };
  }
  if (!Array.isArray(fields.layers)) {
    throw new SkimmerError("origin_failed", "the registry gave a manifest of a kind that is not known here", {
      hint: "Docker schema 2 and OCI manifests can be read; push the image again where it is of schema 1.",
    });
  }
  const layers = read.list(fields.layers, "layers", MOST_ENTRIES).map((entry) => parseDescriptor(read.object(entry, "layers entry")));
  const config = fields.config === undefined ? [] : [parseDescriptor(read.object(fields.config, "config"))];
  const held = [...config, ...layers].filter(({ mediaType }) => !FOREIGN.test(mediaType));
  return { kind: "image", blobs: [...new Map(held.map((blob) => [blob.digest, blob])).values()], config: config.at(0)?.digest };
}

/** `linux/arm64/v8` or `linux/amd64`; usual other names of machines are understood. Throws SkimmerError `bad_request`. */
export function parsePlatformName(text: string): Platform {
  const match = /^([a-z0-9]{1,32})\/([a-z0-9_]{1,32})(?:\/([a-z0-9.]{1,32}))?$/.exec(text.toLowerCase());
  if (match === null)
    throw new SkimmerError("bad_request", `"${text.slice(0, 100)}" is no platform`, { hint: "Such as linux/amd64 or linux/arm/v7." });
  const [, os, architecture, variant = ""] = match;
  return normalize({ os, architecture, variant });
}

/** `os/architecture/variant`. */
export function platformName({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === "" ? [] : [variant])].join("/");
}

/** Whether an image's platform is the wanted one; a wanted one without variant takes each. */
export function isPlatform(found: Platform, wanted: Platform): boolean {
  return (
    found.os === wanted.os && found.architecture === wanted.architecture && (wanted.variant === "" || wanted.variant === found.variant)
  );
}

function parseDescriptor(fields: JsonObject): Descriptor {
  const digest = read.text(fields.digest, "digest", 200);
  if (!isDigest(digest)) read.fail("digest", "a sha256 or sha512 digest");
  const lengthBytes = read.integer(fields.size, "size", { least: 0, most: MOST_LENGTH });
  return { digest, lengthBytes, mediaType: read.optionalText(fields.mediaType, "mediaType", 255) ?? "" };
}

function parsePlatform(value: unknown): Platform | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = read.object(value, "platform");
  const text = (name: string): string => (read.optionalText(fields[name], `platform.${name}`, 100) ?? "").toLowerCase();
  return normalize({ os: text("os"), architecture: text("architecture"), variant: text("variant") });
}

const SAME: Readonly<Record<string, string>> = { x86_64: "amd64", "x86-64": "amd64", aarch64: "arm64", i386: "386", armhf: "arm" };

/** One name for each platform: containerd's rules, as far as they matter here. */
function normalize({ os, architecture, variant }: Platform): Platform {
  const machine = SAME[architecture] ?? architecture;
  const plain = machine === "arm64" && (variant === "v8" || variant === "8");
  return { os, architecture: machine, variant: plain ? "" : variant };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new SkimmerError("origin_failed", "the registry's manifest is not JSON", { cause });
  }
}
