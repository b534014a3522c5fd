/**
 * Opened blobs, shared by requests of the same caller for the same blob of the same repository: parallel ranges join one
 * task, and the registry is asked once a minute, not for each of them. Drives the daemon's contents.
 *
 * A session outlives its last reader for a while, so that an engine that was cut off, or reads range after range, finds its
 * download going on; then it stops. Invariant: whoever opened a session was let in by the registry within FRESH_MS.
 */
import type { Content } from "../peer/daemon/open-content.ts";
import type { Clock } from "../system/clock.ts";
import { SkimmerError } from "../system/errors.ts";
import type { Logger } from "../system/logger.ts";

export interface SessionOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long an unfinished download goes on without a reader. */
  readonly lingerMs: number;
}

/** A reader's hold on a session. */
export interface Lease extends Disposable {
  readonly content: Content;
  /** True for the reader who asks first: what came since the opening came for him. */
  takeFirst(): boolean;
  /** Nobody else is to join it, and it ends with its last reader. */
  retire(): void;
}

interface Session {
  readonly opening: Promise<Content>;
  openedAtMs: number;
  content: Content | undefined;
  /** Somebody took the first turn. */
  isTaken: boolean;
  readers: number;
  timer: NodeJS.Timeout | undefined;
  closed: boolean;
}

const FRESH_MS = 60_000;
/** Idle sessions beyond this end early, the one that was opened longest ago first. */
const MOST_SESSIONS = 512;
/** A registration that takes longer helps nobody. */
const OPEN_LIMIT_MS = 60_000;

export class BlobSessions implements AsyncDisposable {
  readonly #options: SessionOptions;
  /** In the order of opening. */
  readonly #sessions = new Map<string, Session>();
  readonly #closing = new Set<Promise<void>>();
  readonly #ending = new AbortController();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** A session that is open and fresh. */
  peek(key: string): Lease | undefined {
    const session = this.#fresh(key);
    return session?.content === undefined ? undefined : this.#lease(key, session, session.content);
  }

  /** Joins the session of this key, or opens one. Rejects with what `open` rejects with, or the reason of `signal`. */
  async open(key: string, open: (signal: AbortSignal) => Promise<Content>, signal: AbortSignal): Promise<Lease> {
    const session = this.#fresh(key) ?? this.#begin(key, open);
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    // held from here on: it must not end between its opening and this reader's first look
    session.readers++;
    try {
      const content = await Promise.race([session.opening, left.promise]);
      return this.#lease(key, session, content);
    } finally {
      signal.removeEventListener("abort", leave);
      this.#release(key, session);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new SkimmerError("cancelled", "the mirror was stopped"));
    for (const [key, session] of this.#sessions) this.#close(key, session);
    await Promise.allSettled(this.#closing);
  }

  #fresh(key: string): Session | undefined {
    const session = this.#sessions.get(key);
    if (session === undefined || this.#options.clock.nowMs() - session.openedAtMs < FRESH_MS) return session;
    // its readers go on; who comes now asks the registry again
    this.#sessions.delete(key);
    if (session.readers === 0) this.#close(key, session);
    return undefined;
  }

  #begin(key: string, open: (signal: AbortSignal) => Promise<Content>): Session {
    const signal = AbortSignal.any([AbortSignal.timeout(OPEN_LIMIT_MS), this.#ending.signal]);
    const session: Session = {
      opening: open(signal),
      openedAtMs: this.#options.clock.nowMs(),
      content: undefined,
      isTaken: false,
      readers: 0,
      timer: undefined,
      closed: false,
    };
    this.#sessions.set(key, session);
    session.opening.then(
      (content) => {
        session.content = content;
        session.openedAtMs = this.#options.clock.nowMs();
        if (session.readers === 0) this.#linger(key, session);
      },
      () => this.#forget(key, session),
    );
    this.#trim();
    return session;
  }

  #lease(key: string, session: Session, content: Content): Lease {
    session.readers++;
    clearTimeout(session.timer);
    let held = true;
    return {
      content,
      takeFirst: () => {
        const isFirst = !session.isTaken;
        session.isTaken = true;
        return isFirst;
      },
      retire: () => this.#forget(key, session),
      [Symbol.dispose]: () => {
        if (held) this.#release(key, session);
        held = false;
      },
    };
  }

  #release(key: string, session: Session): void {
    if (--session.readers === 0 && session.content !== undefined) this.#linger(key, session);
  }

  #linger(key: string, session: Session): void {
    if (this.#sessions.get(key) !== session) return this.#close(key, session);
    clearTimeout(session.timer);
    const { clock, lingerMs } = this.#options;
    const freshMs = FRESH_MS - (clock.nowMs() - session.openedAtMs);
    // complete content is open only for the sake of not asking again
    const waitMs = session.content?.complete === true ? Math.min(lingerMs, Math.max(0, freshMs)) : lingerMs;
    session.timer = setTimeout(() => this.#close(key, session), waitMs);
    session.timer.unref();
  }

  #trim(): void {
    if (this.#sessions.size <= MOST_SESSIONS) return;
    const idle = [...this.#sessions].find(([, session]) => session.readers === 0 && session.content !== undefined);
    if (idle !== undefined) this.#close(...idle);
  }

  #close(key: string, session: Session): void {
    this.#forget(key, session);
    clearTimeout(session.timer);
    if (session.closed) return;
    session.closed = true;
    const closing = session.opening
      .then((content) => content[Symbol.asyncDispose]())
      .catch((thrown: unknown) => this.#options.logger.debug({ err: thrown }, "a blob was not closed cleanly"))
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #forget(key: string, session: Session): void {
    if (this.#sessions.get(key) === session) this.#sessions.delete(key);
  }
}
