/**
 * What one WebSocket may send to the tracker, and be sent by others through it. Decides: time is an argument.
 *
 * A browser sends six messages' worth a torrent and interval, a seeder one answer for each offer that it gets.
 */

/** Beyond it the connection ends. */
const SENT = { perSecond: 50, burst: 600 } as const;
/** Beyond it others' offers go to other peers: each makes its receiver open a connection. */
const OFFERED = { perSecond: 20, burst: 100 } as const;

export class WebBudget {
  #sent: number = SENT.burst;
  #offered: number = OFFERED.burst;
  #updatedMs: number;

  constructor(nowMs: number) {
    this.#updatedMs = nowMs;
  }

  /** Takes a message that it sent; false: that is too much. */
  send(cost: number, nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#sent < cost) return false;
    this.#sent -= cost;
    return true;
  }

  /** Takes an offer to it; false: not now. */
  offer(nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#offered < 1) return false;
    this.#offered--;
    return true;
  }

  #refill(nowMs: number): void {
    const seconds = Math.max(0, nowMs - this.#updatedMs) / 1000;
    this.#updatedMs = nowMs;
    this.#sent = Math.min(SENT.burst, this.#sent + seconds * SENT.perSecond);
    this.#offered = Math.min(OFFERED.burst, this.#offered + seconds * OFFERED.perSecond);
  }
}
