/**
 * The sk_live extension of one torrent: piece records and the final torrents, in and out (docs/live-torrents.md).
 * Invariant: nothing enters the truth without a good signature of the torrent's key.
 */
import type { KeyObject } from "node:crypto";
import { SkimmerError } from "../../system/errors.ts";
import { makeInfoV1, makeInfoV2, parseInfoV1, parseInfoV2, signFinal, verifyFinal } from "../../torrents/final-torrents.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import { encodeFinal, encodeRecords, encodeWant, type FinalMessage, parseLiveMessage } from "../../torrents/live-messages.ts";
import { piecesRoot } from "../../torrents/merkle.ts";
import { MAX_GROUP_RECORDS, type PieceRecord, type RecordGroup, signGroup, verifyGroup } from "../../torrents/piece-records.ts";
import type { PeerLink } from "./peer-link.ts";
import type { SwarmState } from "./swarm-state.ts";
import { encodeExtended } from "./wire/messages.ts";

/** Groups in one message: 64 × 64 records stay below 150 kB. */
const GROUPS_PER_MESSAGE = 64;

export interface LiveExchangeEvents {
  /** A group with a good signature is in the truth; these records are new. */
  onRecords(group: RecordGroup, fresh: readonly PieceRecord[]): void;
  onFinal(final: FinalMessage): void;
}

export class LiveExchange {
  final: FinalMessage | undefined;
  readonly #state: SwarmState;
  readonly #identity: { infoHash: InfoHash; name: string; publicKey: KeyObject; signer?: KeyObject; secret?: Buffer };
  readonly #events: LiveExchangeEvents;
  /** Groups that a peer got from us or sent to us. */
  readonly #told = new WeakMap<PeerLink, Set<RecordGroup>>();
  /** Peers that asked for records. */
  readonly #wanting = new WeakSet<PeerLink>();
  #pendingFinal: FinalMessage | undefined;

  constructor(
    state: SwarmState,
    identity: { infoHash: InfoHash; name: string; publicKey: KeyObject; signer?: KeyObject; secret?: Buffer },
    events: LiveExchangeEvents,
  ) {
    this.#state = state;
    this.#identity = identity;
    this.#events = events;
  }

  /** The peer speaks the extension: ask for what we lack, tell the final torrents if we have them. */
  onPeer(link: PeerLink): void {
    const { truth, geometry } = this.#state;
    if (!truth.allRootsKnown) this.#send(link, encodeWant({ first: 0, count: geometry.pieceCount }));
    if (this.final !== undefined) this.#send(link, encodeFinal(this.final));
  }

  /** A message of the extension. Throws SkimmerError `protocol` where the peer lied. */
  onMessage(link: PeerLink, payload: Buffer): void {
    const message = parseLiveMessage(payload);
    if (message.kind === "want") this.#onWant(link, message);
    else if (message.kind === "records") for (const group of message.groups) this.#onGroup(link, group);
    else this.#onFinal(message);
  }

  /** Sends the group that covers the piece, unless the peer has it: goes ahead of each HAVE. */
  tell(link: PeerLink, group: RecordGroup | undefined): void {
    if (group === undefined || link.extensions.live === 0 || !this.#wanting.has(link)) return;
    const told = this.#toldTo(link);
    if (told.has(group)) return;
    told.add(group);
    this.#send(link, encodeRecords([group]));
  }

  /** Signs pieces that were hashed, in groups, and takes them into the truth. */
  sign(records: readonly PieceRecord[]): void {
    const { signer, infoHash } = this.#identity;
    if (signer === undefined) return;
    for (let at = 0; at < records.length; at += MAX_GROUP_RECORDS) {
      const group = signGroup({ infoHash, records: records.slice(at, at + MAX_GROUP_RECORDS), privateKey: signer });
      this.#events.onRecords(group, this.#state.truth.addGroup(group));
    }
  }

  /** Makes and publishes the final torrents; every piece must be in the truth. */
  finish(sha1s: Buffer): void {
    const { signer, secret, infoHash, name } = this.#identity;
    const { geometry, truth } = this.#state;
    if (signer === undefined || this.final !== undefined) return;
    const infoV1 = makeInfoV1({ name, geometry, sha1s, secret });
    const root = geometry.pieceCount === 0 ? undefined : piecesRoot(truth.layer, geometry);
    const infoV2 = makeInfoV2({ name, geometry, piecesRoot: root, secret });
    this.#accept({ infoV1, infoV2, signature: signFinal({ infoHash, infoV1, infoV2, privateKey: signer }) });
  }

  /** Takes over final torrents that are known from elsewhere (disk, supernode). */
  useFinal(final: FinalMessage): void {
    this.final = final;
  }

  #onWant(link: PeerLink, want: { first: number; count: number }): void {
    this.#wanting.add(link);
    const told = this.#toldTo(link);
    const groups = this.#state.truth.groups.filter(
      (group) => !told.has(group) && group.records.some(({ index }) => index >= want.first && index - want.first < want.count),
    );
    for (const group of groups) told.add(group);
    for (let at = 0; at < groups.length; at += GROUPS_PER_MESSAGE)
      this.#send(link, encodeRecords(groups.slice(at, at + GROUPS_PER_MESSAGE)));
  }

  #onGroup(link: PeerLink, group: RecordGroup): void {
    const { truth } = this.#state;
    const verdict = truth.judge(group);
    if (verdict === "bad") throw new SkimmerError("protocol", "peer sent a record that contradicts the torrent");
    if (verdict === "known") {
      const own = truth.groupOf(group.records[0].index);
      if (own !== undefined) this.#toldTo(link).add(own);
      return;
    }
    const { infoHash, publicKey } = this.#identity;
    if (!verifyGroup({ infoHash, group, publicKey })) throw new SkimmerError("protocol", "peer sent a record with a bad signature");
    this.#toldTo(link).add(group);
    this.#events.onRecords(group, truth.addGroup(group));
    if (this.#pendingFinal !== undefined && truth.allRootsKnown) this.#onFinal(this.#pendingFinal);
  }

  #onFinal(final: FinalMessage): void {
    if (this.final !== undefined) return;
    const { infoHash, publicKey } = this.#identity;
    const { truth, geometry } = this.#state;
    if (this.#pendingFinal !== final && !verifyFinal({ ...final, infoHash, publicKey }))
      throw new SkimmerError("protocol", "peer sent final torrents with a bad signature");
    if (!truth.allRootsKnown) {
      this.#pendingFinal = final;
      return;
    }
    const v1 = parseInfoV1(final.infoV1);
    const v2 = parseInfoV2(final.infoV2);
    const same = [v1.geometry, v2.geometry].every(
      (other) => other.lengthBytes === geometry.lengthBytes && other.pieceLengthBytes === geometry.pieceLengthBytes,
    );
    const rooted = geometry.pieceCount === 0 || piecesRoot(truth.layer, geometry).equals(v2.piecesRoot as Buffer);
    if (!same || !rooted) throw new SkimmerError("protocol", "peer sent final torrents that do not fit the records");
    this.#accept(final);
  }

  #accept(final: FinalMessage): void {
    this.final = final;
    this.#pendingFinal = undefined;
    this.#events.onFinal(final);
    for (const link of this.#state.links) this.#send(link, encodeFinal(final));
  }

  #send(link: PeerLink, payload: Buffer): void {
    if (link.extensions.live > 0) link.connection.send(encodeExtended(link.extensions.live, payload));
  }

  #toldTo(link: PeerLink): Set<RecordGroup> {
    let told = this.#told.get(link);
    if (told === undefined) {
      told = new Set();
      this.#told.set(link, told);
    }
    return told;
  }
}
