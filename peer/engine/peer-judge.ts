/**
 * Judges the peers of one torrent by what they bring and refuse, and has the guilty ones left alone. Wires SmartBan and
 * PeerConduct; the connections of a banned peer are ended by the engine, in all torrents.
 */

import type { Offence } from "../../torrents/task-api.ts";
import type { BannedPeer, PeerIdentity } from "./peer-conduct.ts";
import type { PeerLink } from "./peer-link.ts";
import type { PieceDownload } from "./piece-download.ts";
import { SmartBan } from "./smart-ban.ts";
import type { SwarmState } from "./swarm-state.ts";

/** Bans that are shown per torrent; the oldest is left out. */
const MOST_SHOWN = 100;

export class PeerJudge {
  /** Since the torrent was opened. */
  count = 0;
  readonly #state: SwarmState;
  readonly #smartBan = new SmartBan<PeerLink>();
  readonly #onBanned: (peer: BannedPeer) => void;
  #banned: BannedPeer[] = [];

  constructor(state: SwarmState, onBanned: (peer: BannedPeer) => void) {
    this.#state = state;
    this.#onBanned = onBanned;
  }

  /** Banned for what they did in this torrent, the latest last. */
  get banned(): BannedPeer[] {
    const nowMs = this.#state.clock.nowMs();
    return this.#banned.filter(({ untilMs }) => untilMs > nowMs);
  }

  /** A single bringer is guilty; of several each is a suspect until the piece comes out right. */
  onBadPiece(piece: PieceDownload<PeerLink>): void {
    const [first, ...others] = piece.bringers;
    if (others.length === 0 && first !== undefined) return this.note(first, "bad_block", `sent piece ${piece.index} with a wrong hash`);
    this.#smartBan.onBad(piece.index, piece.slot.bytes.subarray(0, piece.lengthBytes), piece.bringerByBlock);
    for (const link of [first, ...others]) this.note(link, "suspect_piece", `took part in piece ${piece.index} with a wrong hash`);
  }

  /** The piece is right: its bytes tell whose were wrong before. */
  onGoodPiece(index: number, bytes: Buffer): void {
    for (const link of this.#smartBan.onGood(index, bytes)) this.note(link, "bad_block", `sent wrong blocks of piece ${index}`);
  }

  /** It owes blocks; only where others bring some, so that the fault is not ours. */
  onStalled(link: PeerLink, withinMs: number): void {
    const nowMs = this.#state.clock.nowMs();
    for (const other of this.#state.links) {
      if (other === link || other.requests.length === 0 || nowMs - other.lastBlockMs > withinMs) continue;
      return this.note(link, "stalled", `owed blocks and sent nothing for ${Math.round(withinMs / 1000)} s`);
    }
  }

  note(link: PeerLink, offence: Offence, reason: string): void {
    const { clock, conduct, logger } = this.#state;
    const banned = conduct.note(identityOf(link), { offence, reason }, clock.nowMs());
    if (banned === undefined) return;
    this.count++;
    this.#banned = [...this.#banned, banned].slice(-MOST_SHOWN);
    const { host, port, offences } = banned;
    logger.warn({ host, port, offence, reason, offences }, "peer banned");
    this.#onBanned(banned);
  }
}

function identityOf(link: PeerLink): PeerIdentity {
  return { id: link.peerId, host: link.connection.host, port: link.listenPort };
}
