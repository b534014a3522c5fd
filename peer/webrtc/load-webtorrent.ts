/**
 * The webtorrent package, which is not installed with Skimmer: its WebRTC side is a native module. Loaded only where it is wanted.
 *
 * It waits five seconds for the end of gathering before it answers an offer, because webrtc-polyfill 1.2 never tells it (W3C WebRTC 4.4.1: a null
 * candidate). `tellEndOfGathering` has the polyfill do so; measured from offer to connection: 5.1 s without, 0.1 s with it.
 */
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type WebTorrent from "webtorrent";
import { SkimmerError } from "../../system/errors.ts";

/** What we touch of the polyfill. */
interface Connection extends EventTarget {
  readonly iceGatheringState: string;
  onicecandidate: ((event: { candidate: null }) => void) | null;
}

interface Polyfill {
  readonly RTCPeerConnection: { readonly prototype: { createAnswer: MakeDescription; createOffer: MakeDescription } };
}

type MakeDescription = (this: Connection, ...options: unknown[]) => PromiseLike<unknown>;

/** Rejects with SkimmerError `bad_request` where it, or its native module, is not installed. */
export async function loadWebtorrent(): Promise<typeof WebTorrent> {
  try {
    const { default: loaded } = await import("webtorrent");
    await completeGathering();
    return loaded;
  } catch (cause) {
    throw new SkimmerError(
      "bad_request",
      `browsers cannot be served: the package webtorrent cannot be loaded: ${(cause as Error).message}`,
      {
        hint: "Install webtorrent 3 with npm beside Skimmer (docs/browser-peers.md says how), or leave --webrtc out.",
        cause,
      },
    );
  }
}

/** Where the polyfill is another one, webtorrent works all the same, only slower to connect. */
async function completeGathering(): Promise<void> {
  const found = findPackageJSON("webrtc-polyfill", import.meta.resolve("webtorrent"));
  if (found === undefined) return;
  const { RTCPeerConnection } = (await import(pathToFileURL(join(dirname(found), "index.js")).href)) as Partial<Polyfill>;
  if (RTCPeerConnection === undefined) return;
  const { prototype } = RTCPeerConnection;
  prototype.createAnswer = tellEndOfGathering(prototype.createAnswer);
  prototype.createOffer = tellEndOfGathering(prototype.createOffer);
}

/** The same method, after which the connection tells when its candidates are complete. */
export function tellEndOfGathering(make: MakeDescription): MakeDescription {
  return async function (this: Connection, ...options) {
    const tell = (): void => {
      if (this.iceGatheringState === "complete") this.onicecandidate?.({ candidate: null });
    };
    this.addEventListener("icegatheringstatechange", tell);
    const description = await make.apply(this, options);
    setImmediate(tell);
    return description;
  };
}
