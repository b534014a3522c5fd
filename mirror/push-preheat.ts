/**
 * An image that was pushed through here is wanted somewhere soon: its layers are fetched into the swarm. Drives.
 * Best effort: a failure is logged. Bounded: pushes at once, manifest length, time.
 */
import { parseManifest } from "../registry/manifest.ts";
import { MOST_MANIFEST_BYTES } from "../registry/registry-client.ts";
import { SkimmerError, toSkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";
import type { BlobHandler } from "./blob-handler.ts";
import type { Upstream } from "./upstream.ts";

export interface PushedTo {
  readonly upstream: Upstream;
  readonly repository: string;
  readonly authorization: string | undefined;
}

/** A manifest on its way to the registry. */
export interface PushedManifest {
  readonly add: (chunk: Buffer) => void;
  /** The registry took it. */
  end(to: PushedTo): void;
}

const MOST_AT_ONCE = 16;
const LIMIT_MS = 120_000;

export class PushPreheat implements AsyncDisposable {
  readonly #options: { readonly blobs: BlobHandler; readonly logger: Logger };
  readonly #running = new Set<Promise<void>>();
  readonly #ending = new AbortController();

  constructor(options: { blobs: BlobHandler; logger: Logger }) {
    this.#options = options;
  }

  begin(): PushedManifest {
    const chunks: Buffer[] = [];
    let length = 0;
    return {
      add: (chunk) => {
        length += chunk.length;
        if (length <= MOST_MANIFEST_BYTES) chunks.push(chunk);
      },
      end: (to) => {
        if (length <= MOST_MANIFEST_BYTES && this.#running.size < MOST_AT_ONCE) this.#start(Buffer.concat(chunks), to);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new SkimmerError("cancelled", "the mirror was stopped"));
    await Promise.allSettled(this.#running);
  }

  #start(bytes: Buffer, to: PushedTo): void {
    const { logger } = this.#options;
    const running = this.#warm(bytes, to)
      .catch((thrown: unknown) =>
        logger.warn({ repository: to.repository, error: toSkimmerError(thrown).message }, "a pushed image was not preheated"),
      )
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #warm(bytes: Buffer, { upstream, repository, authorization }: PushedTo): Promise<void> {
    const manifest = parseManifest(bytes);
    // an index comes after its images, whose layers are on their way already
    if (manifest.kind === "index") return;
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(LIMIT_MS)]);
    for (const { digest } of manifest.blobs) await this.#options.blobs.warm({ upstream, repository, digest }, authorization, signal);
  }
}
