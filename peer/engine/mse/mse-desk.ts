/**
 * Encrypted handshakes of one peer port: which torrents they may name, what is chosen, and how many there may be. Time is an argument;
 * keys and padding are drawn here.
 *
 * Each costs 0.3 ms for the key agreement, paid before we know whom we talk to: hence a bound for each address and one for all.
 * Invariant: at most MOST_HOSTS addresses are remembered; when full, the one that was seen longest ago goes.
 */
import { randomBytes } from "node:crypto";
import type { InfoHash } from "../../../torrents/ids.ts";
import { EventBudget } from "../event-budget.ts";
import { acceptsPlain, type EncryptionPolicy, offeredCrypto, selectCrypto } from "./encryption-policy.ts";
import { IncomingOpening } from "./incoming-opening.ts";
import { MseInitiator } from "./mse-initiator.ts";
import { type Opening, skeyName } from "./mse-keys.ts";
import { MseResponder } from "./mse-responder.ts";

/** All together: some 5 % of a core at most. */
const ALL_RATE = { perSecond: 150, burst: 300 };
const HOST_RATE = { perSecond: 10, burst: 60 };
const MOST_HOSTS = 1000;

export class MseDesk {
  readonly policy: EncryptionPolicy;
  readonly #torrents = new Map<string, InfoHash>();
  readonly #all: EventBudget;
  readonly #hosts = new Map<string, EventBudget>();

  constructor(policy: EncryptionPolicy, nowMs: number) {
    this.policy = policy;
    this.#all = new EventBudget(ALL_RATE, nowMs);
  }

  /** From now on peers may ask for this torrent in an encrypted handshake. */
  add(infoHash: InfoHash): void {
    this.#torrents.set(skeyName(infoHash).toString("latin1"), infoHash);
  }

  delete(infoHash: InfoHash): void {
    this.#torrents.delete(skeyName(infoHash).toString("latin1"));
  }

  /** What an accepted connection begins with; undefined: plain and nothing else. */
  incoming(host: string, nowMs: () => number): Opening | undefined {
    if (this.policy === "off") return undefined;
    return new IncomingOpening({
      acceptsPlain: acceptsPlain(this.policy),
      beginEncrypted: () => (this.#mayBegin(host, nowMs()) ? this.#responder() : undefined),
    });
  }

  /** What an encrypted connection that we dialled begins with; `payload` is our handshake. */
  outgoing(infoHash: InfoHash, payload: Buffer): MseInitiator {
    return new MseInitiator({ infoHash, payload, offered: offeredCrypto(this.policy), randomBytes });
  }

  #responder(): Opening {
    return new MseResponder({
      findTorrent: (name) => this.#torrents.get(name.toString("latin1")),
      select: (offered) => selectCrypto(this.policy, offered),
      randomBytes,
    });
  }

  #mayBegin(host: string, nowMs: number): boolean {
    let budget = this.#hosts.get(host);
    if (budget === undefined && this.#hosts.size >= MOST_HOSTS) this.#hosts.delete(this.#hosts.keys().next().value as string);
    budget ??= new EventBudget(HOST_RATE, nowMs);
    this.#hosts.delete(host);
    this.#hosts.set(host, budget);
    return budget.take(nowMs) && this.#all.take(nowMs);
  }
}
