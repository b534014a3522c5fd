/**
 * A real pull of a tiny image through this very mirror, as an engine would do it: what `dfget doctor` shows. Drives HTTP.
 * Bounded: one at a time, time, bytes. Its failure is its answer.
 */
import { createHash } from "node:crypto";
import { Agent } from "undici";
import { listImageBlobs } from "../registry/image-blobs.ts";
import { parseImageReference } from "../registry/image-reference.ts";
import { parsePlatformName } from "../registry/manifest.ts";
import { RegistryClient } from "../registry/registry-client.ts";
import { TokenCache } from "../registry/token-cache.ts";
import { realClock } from "../system/clock.ts";
import { SkimmerError, toSkimmerError } from "../system/errors.ts";
import { DOCKER_HUB, registryName } from "./route-request.ts";

/** Answer of `GET /.skimmer/check?image=NAME`. */
export interface CheckAnswer {
  readonly ok: boolean;
  readonly image: string;
  readonly blobs: number;
  readonly bytes: number;
  readonly seconds: number;
  /** How often each cache state was seen. */
  readonly cache: Readonly<Record<string, number>>;
  readonly error?: string;
  readonly hint?: string;
}

export const CHECK_PATH = "/.skimmer/check";
const DEFAULT_IMAGE = "hello-world";
const LIMIT_MS = 30_000;
/** Layers beyond are left out: it is a check, no download. */
const MOST_BYTES = 50_000_000;

export class SelfCheck {
  readonly #url: string;
  readonly #defaultName: string;
  #running: Promise<CheckAnswer> | undefined;

  constructor(options: { url: string; defaultName: string }) {
    this.#url = options.url;
    this.#defaultName = options.defaultName;
  }

  /** Never rejects. A check that runs is joined, whatever image it is for. */
  run(image: string | undefined): Promise<CheckAnswer> {
    const name = image ?? (this.#defaultName === DOCKER_HUB ? DEFAULT_IMAGE : undefined);
    this.#running ??= this.#run(name).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(image: string | undefined): Promise<CheckAnswer> {
    const startedMs = performance.now();
    const count = { blobs: 0, bytes: 0, cache: {} as Record<string, number> };
    const seconds = (): number => Math.round(performance.now() - startedMs) / 1000;
    const dispatcher = new Agent();
    try {
      if (image === undefined)
        throw new SkimmerError("bad_request", "no image is known to try", { hint: "Name a small one: dfget doctor --image NAME." });
      await this.#pull(image, { dispatcher, count });
      return { ok: true, image, seconds: seconds(), ...count };
    } catch (thrown) {
      const { message, hint } = toSkimmerError(thrown);
      return { ok: false, image: image ?? "", seconds: seconds(), ...count, error: message, hint };
    } finally {
      await dispatcher.destroy();
    }
  }

  async #pull(
    image: string,
    run: { dispatcher: Agent; count: { blobs: number; bytes: number; cache: Record<string, number> } },
  ): Promise<void> {
    const { dispatcher, count } = run;
    const { base, repository: plain, reference } = parseImageReference(image);
    const host = registryName(new URL(base).host);
    const repository = host === this.#defaultName ? plain : `${host}/${plain}`;
    const client = new RegistryClient({ base: this.#url, tokens: new TokenCache({ clock: realClock }), dispatcher, clock: realClock });
    const signal = AbortSignal.timeout(LIMIT_MS);
    const platforms = [parsePlatformName(`linux/${process.arch === "x64" ? "amd64" : process.arch}`)];
    const { blobs } = await listImageBlobs(client, { repository, reference, platforms, signal });
    for (const { digest, lengthBytes } of blobs) {
      if (count.bytes + lengthBytes > MOST_BYTES || !digest.startsWith("sha256:")) continue;
      const { status, headers, body } = await client.send({ path: `/v2/${repository}/blobs/${digest}`, repository, signal });
      const hash = createHash("sha256");
      let length = 0;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        length += chunk.length;
        if (length > lengthBytes)
          throw new SkimmerError("origin_failed", `the mirror sends more than the ${lengthBytes} bytes of ${digest}`);
        hash.update(chunk);
      }
      if (status !== 200 || `sha256:${hash.digest("hex")}` !== digest)
        throw new SkimmerError("origin_failed", `the mirror answered ${status} for ${digest}, or with other content`);
      count.blobs++;
      count.bytes += lengthBytes;
      const state = String(headers["x-skimmer-cache"]);
      count.cache[state] = (count.cache[state] ?? 0) + 1;
    }
  }
}
