/**
 * Which images and layers a registry says were pushed: notifications of docker-registry (distribution), and Harbor's
 * PUSH_ARTIFACT in both of its formats. Decides. Whoever sends these decides what is fetched: every field is checked.
 */
import { type ImageTarget, parseImageReference, parseManifestUrl } from "../../registry/image-reference.ts";
import { SkimmerError } from "../../system/errors.ts";
import { fieldReader, type JsonObject } from "../../torrents/parse-fields.ts";

/** A pushed image (its manifest) or layer. */
export interface Pushed {
  readonly kind: "manifest" | "blob";
  readonly target: ImageTarget;
}

const MOST_EVENTS = 1000;
const MOST_TEXT = 8192;
const read = fieldReader("bad_request", "webhook");
const MANIFEST = /manifest|image\.index/;

/**
 * The envelope that distribution sends. `base`: where the registry is for us; absent: where its URLs say it is (its own idea of
 * its host). Throws SkimmerError `bad_request`.
 */
export function parseRegistryNotification(body: unknown, base: string | undefined): Pushed[] {
  const events = read.list(read.object(body, "body").events, "events", MOST_EVENTS);
  return events.flatMap((entry) => {
    const event = read.object(entry, "event");
    if (event.action !== "push" && event.action !== "mount") return [];
    const target = read.object(event.target, "target");
    const url = read.optionalText(target.url, "target.url", MOST_TEXT);
    const own = base ?? (url !== undefined && URL.canParse(url) ? new URL(url).origin : undefined);
    if (own === undefined || !/^https?:/.test(own)) return read.fail("target.url", "an http or https URL");
    const kind = MANIFEST.test(read.optionalText(target.mediaType, "target.mediaType", 255) ?? "") ? "manifest" : "blob";
    return { kind, target: makeTarget(own, read.text(target.repository, "target.repository", 255), target.digest) } as const;
  });
}

/** Harbor's event, default or CloudEvents format. Other events than a push are none of ours. Throws SkimmerError `bad_request`. */
export function parseHarborEvent(body: unknown, base: string | undefined): Pushed[] {
  const event = read.object(body, "body");
  if (event.type !== "PUSH_ARTIFACT" && event.type !== "harbor.artifact.pushed") return [];
  const data = read.object(event.event_data ?? event.data, "event_data");
  return read.list(data.resources, "resources", MOST_EVENTS).map((entry) => {
    const resource = read.object(entry, "resource");
    const named = parseImageReference(read.text(resource.resource_url, "resource_url", MOST_TEXT));
    return { kind: "manifest", target: makeTarget(base ?? named.base, repositoryOf(data, named), resource.digest ?? named.reference) };
  });
}

function repositoryOf(data: JsonObject, named: ImageTarget): string {
  const { repo_full_name: name } = read.object(data.repository ?? {}, "repository");
  return read.optionalText(name, "repo_full_name", 255) ?? named.repository;
}

function makeTarget(base: string, repository: string, reference: unknown): ImageTarget {
  const name = read.text(reference, "digest", 200);
  const target = parseManifestUrl(`${new URL(base).origin}/v2/${repository}/manifests/${name}`);
  return target?.repository === repository && target.reference === name ? target : read.fail("repository and digest", "those of an image");
}

/** The registry that webhooks are about (`--webhook-registry`). Throws SkimmerError `bad_request`. */
export function parseRegistryUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text).origin;
  throw new SkimmerError("bad_request", `"${text.slice(0, 200)}" is no registry's URL`, { hint: "Such as https://harbor.example.com." });
}
