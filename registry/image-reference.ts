/**
 * Names of images, as people write them (`alpine`, `ghcr.io/a/b:1`, `127.0.0.1:5000/x@sha256:…`) and as URLs of the
 * registry API, and where their registry is. Decides. The grammar is that of the OCI distribution specification and docker.
 */
import { SkimmerError } from "../system/errors.ts";
import { isDigest } from "./digest.ts";

/** One image of one repository of one registry. */
export interface ImageTarget {
  /** Scheme and host of the registry's API, without a path: `https://registry-1.docker.io`. */
  readonly base: string;
  /** `library/alpine`. */
  readonly repository: string;
  /** Tag or digest. */
  readonly reference: string;
}

const MOST_LENGTH = 1024;
const HOST = /^(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(:\d{1,5})?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const MOST_REPOSITORY = 255;
const DOCKER_HUB = new Set(["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"]);
const DOCKER_HUB_BASE = "https://registry-1.docker.io";
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * Reads an image's name; without tag and digest it is `latest`, and a digest wins over a tag. `http://` or `https://` in front
 * chooses the scheme, `insecure` http; else it is https, and http on this machine (as docker does).
 * Throws SkimmerError `bad_request`.
 */
export function parseImageReference(text: string, options: { insecure?: boolean } = {}): ImageTarget {
  if (text.length > MOST_LENGTH) throw malformed(text, "it is too long");
  const [, scheme, bare] = /^(?:(https?|docker|oci):\/\/)?(.*)$/s.exec(text) as unknown as [string, string | undefined, string];
  const [name, digest, ...more] = bare.split("@");
  if (more.length > 0 || (digest !== undefined && !isDigest(digest))) throw malformed(text, "its digest is not sha256: and 64 hex digits");
  const { host, path } = splitHost(name);
  const colon = path.indexOf(":", path.lastIndexOf("/") + 1);
  const tag = colon < 0 ? undefined : path.slice(colon + 1);
  if (tag !== undefined && !TAG.test(tag)) throw malformed(text, "its tag has characters that no tag may have");
  const short = colon < 0 ? path : path.slice(0, colon);
  const repository = DOCKER_HUB.has(host) && !short.includes("/") ? `library/${short}` : short;
  if (!isRepository(repository)) throw malformed(text, "a repository is lower-case words with / between them");
  if (!HOST.test(host)) throw malformed(text, `${host} is no host`);
  const plain = scheme === "http" || (scheme !== "https" && options.insecure === true);
  return { base: registryBase(host, { plain, secure: scheme === "https" }), repository, reference: digest ?? tag ?? "latest" };
}

/** `http(s)://HOST/v2/NAME/manifests/REFERENCE`; undefined where the URL is none of those. */
export function parseManifestUrl(text: string): ImageTarget | undefined {
  const found = parseApiUrl(text, "manifests");
  return found === undefined || !(TAG.test(found.reference) || isDigest(found.reference)) ? undefined : found;
}

/** `http(s)://HOST/v2/NAME/blobs/DIGEST`; undefined where the URL is none of those. */
export function parseBlobUrl(text: string): ImageTarget | undefined {
  const found = parseApiUrl(text, "blobs");
  return found === undefined || !isDigest(found.reference) ? undefined : found;
}

/** Where the API of a registry is that people call by this host; https unless it is asked for otherwise or on this machine. */
export function registryBase(host: string, options: { plain?: boolean; secure?: boolean } = {}): string {
  if (DOCKER_HUB.has(host)) return DOCKER_HUB_BASE;
  const local = LOOPBACK.test(host.replace(/:\d+$/, "")) && options.secure !== true;
  return new URL(`${options.plain === true || local ? "http" : "https"}://${host}`).origin;
}

/** Whether a text is a repository's name. */
export function isRepository(text: string): boolean {
  return text.length <= MOST_REPOSITORY && text.split("/").every((component) => COMPONENT.test(component));
}

function parseApiUrl(text: string, kind: "manifests" | "blobs"): ImageTarget | undefined {
  if (text.length > MOST_LENGTH * 8 || !URL.canParse(text)) return undefined;
  const { origin, protocol, pathname } = new URL(text);
  const match = new RegExp(`^/v2/(.+)/${kind}/([^/]+)$`).exec(pathname);
  if (match === null || !/^https?:$/.test(protocol)) return undefined;
  const [, repository, reference] = match;
  return isRepository(repository) ? { base: origin, repository, reference: reference.replace(/%3a/i, ":") } : undefined;
}

/** docker's rule: the first part is a host where it has a dot, a colon or a capital letter, or is localhost. */
function splitHost(name: string): { host: string; path: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(0, slash));
  const isHost = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  return slash > 0 && isHost ? { host: first, path: name.slice(slash + 1) } : { host: "docker.io", path: name };
}

function malformed(text: string, why: string): SkimmerError {
  return new SkimmerError("bad_request", `cannot read the image name "${text.slice(0, 200)}": ${why}`, {
    hint: "Write [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST], such as alpine:3.20 or ghcr.io/owner/name:1.",
  });
}
