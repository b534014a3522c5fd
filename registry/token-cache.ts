/**
 * Tokens of registries, kept until they run out; who asks while one is on its way waits for that one.
 * Invariant: at most one token request for one key at a time, however many layers wait. Time is handed in.
 */
import type { Clock } from "../system/clock.ts";
import type { Token } from "./token-request.ts";

/** The least recently made goes first. */
const MOST_TOKENS = 10_000;

export class TokenCache {
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Token>();
  readonly #asking = new Map<string, Promise<Token>>();

  constructor(options: { clock: Clock }) {
    this.#clock = options.clock;
  }

  /** The token of this key: the one that is known, the one that is on its way, or what `ask` brings (failures are not kept). */
  async get(key: string, ask: () => Promise<Token>): Promise<string> {
    const known = this.#tokens.get(key);
    if (known !== undefined && known.expiresAtMs > this.#clock.nowMs()) return known.token;
    const asking = this.#asking.get(key) ?? this.#ask(key, ask);
    return (await asking).token;
  }

  /** The registry refused this token before its time. A newer one stays. */
  forget(key: string, token: string): void {
    if (this.#tokens.get(key)?.token === token) this.#tokens.delete(key);
  }

  #ask(key: string, ask: () => Promise<Token>): Promise<Token> {
    const asking = ask()
      .then((token) => {
        this.#tokens.delete(key);
        this.#tokens.set(key, token);
        if (this.#tokens.size > MOST_TOKENS) this.#tokens.delete(this.#tokens.keys().next().value as string);
        return token;
      })
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }
}
