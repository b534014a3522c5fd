/**
 * Names and info dicts of one torrent: live, v1, v2, and what it answers to. Decides.
 */
import type { KeyObject } from "node:crypto";
import { decodeDict, dictInt } from "../../torrents/bencode.ts";
import { publicKeyFrom } from "../../torrents/cluster-key.ts";
import { infoHashV1, infoHashV2 } from "../../torrents/final-torrents.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import { liveInfoHash, parseLiveInfo } from "../../torrents/live-info.ts";
import { INFO_LIMITS } from "../../torrents/parse-info.ts";
import type { TorrentLayout } from "../../torrents/torrent-layout.ts";
import type { TorrentSpec } from "./types.ts";

interface InfoHashes {
  readonly live?: InfoHash;
  readonly v1?: InfoHash;
  readonly v2?: InfoHash;
}

export class TorrentIdentity {
  readonly name: string;
  readonly liveInfo: Buffer | undefined;
  readonly signer: KeyObject | undefined;
  readonly secret: Buffer | undefined;
  readonly publicKey: KeyObject | undefined;
  readonly infoHash: InfoHash;
  readonly layout: TorrentLayout | undefined;
  infoV1: Buffer | undefined;
  infoV2: Buffer | undefined;
  /** Read once. */
  #hashed: { readonly infoV1?: Buffer; readonly infoV2?: Buffer; readonly hashes: InfoHashes } | undefined;
  #private: { readonly info: Buffer; readonly isPrivate: boolean } | undefined;

  constructor(spec: Pick<TorrentSpec, "name" | "layout" | "liveInfo" | "infoV1" | "infoV2" | "signer" | "secret">) {
    this.name = spec.name;
    this.layout = spec.layout;
    this.liveInfo = spec.liveInfo;
    this.infoV1 = spec.infoV1;
    this.infoV2 = spec.infoV2;
    this.signer = spec.signer;
    this.secret = spec.secret;
    this.publicKey = spec.liveInfo && publicKeyFrom(parseLiveInfo(spec.liveInfo).key);
    const { live, v1, v2 } = this.infoHashes;
    this.infoHash = (live ?? v2 ?? v1) as InfoHash;
  }

  /** Computed once for each info dict: they may have megabytes, and every handshake and many messages ask. */
  get infoHashes(): InfoHashes {
    const { liveInfo, infoV1, infoV2 } = this;
    if (this.#hashed === undefined || this.#hashed.infoV1 !== infoV1 || this.#hashed.infoV2 !== infoV2) {
      const hashes = { live: liveInfo && liveInfoHash(liveInfo), v1: infoV1 && infoHashV1(infoV1), v2: infoV2 && infoHashV2(infoV2) };
      this.#hashed = { infoV1, infoV2, hashes };
    }
    return this.#hashed.hashes;
  }

  /** BEP 27: peers may come from its own trackers only. */
  get isPrivate(): boolean {
    const info = this.infoV1 ?? this.infoV2;
    if (info === undefined) return false;
    if (this.#private?.info !== info) this.#private = { info, isPrivate: dictInt(decodeDict(info, INFO_LIMITS), "private") === 1 };
    return this.#private.isPrivate;
  }

  /** The info dict behind one of our hashes. */
  infoFor(infoHash: InfoHash): Buffer | undefined {
    const { live, v1, v2 } = this.infoHashes;
    if (infoHash === live) return this.liveInfo;
    if (infoHash === v1) return this.infoV1;
    return infoHash === v2 ? this.infoV2 : undefined;
  }

  useFinal(final: { infoV1: Buffer; infoV2: Buffer }): void {
    this.infoV1 = final.infoV1;
    this.infoV2 = final.infoV2;
  }
}
