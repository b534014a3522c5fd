/**
 * The seeders that are linked right now (torrents/seeder-link.ts), and requests to them. Drives the WebSocket side.
 *
 * The cluster key is pinned at the first seeder ever (the supernode's own child starts first); any other key is refused,
 * since whoever holds the key decides what every peer believes. Invariant: each request is answered once, or times out.
 */
import { randomBytes, verify } from "node:crypto";
import { lookup } from "node:dns/promises";
import { readFile, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { WebSocket } from "ws";
import { plainAddress } from "../system/addresses.ts";
import type { Clock } from "../system/clock.ts";
import { type ErrorCode, SkimmerError } from "../system/errors.ts";
import { keepAlive } from "../system/keep-alive.ts";
import type { Logger } from "../system/logger.ts";
import { publicKeyFrom } from "../torrents/cluster-key.ts";
import type { StatusReport } from "../torrents/host-report.ts";
import { type PeerId, parsePeerId, type TaskId } from "../torrents/ids.ts";
import { parseSeederMessage } from "../torrents/parse-link-message.ts";
import { rendezvousOrder } from "../torrents/rendezvous.ts";
import {
  type GoneReason,
  LINK_SIGNATURE_CONTEXT,
  type SeederMessage,
  type SeederRequest,
  type SeederResult,
  type SeederTask,
  type SupernodeMessage,
} from "../torrents/seeder-link.ts";
import type { SeederLimits, TaskRequest } from "../torrents/task-api.ts";
import { contentKey } from "../torrents/task-identity.ts";
import { loadLimits, saveLimits } from "./kept-limits.ts";
import { SeederHealth } from "./seeder-health.ts";

const HELLO_LIMIT_MS = 5000;
const REQUEST_LIMIT_MS = 90_000;
const PING_EVERY_MS = 15_000;
const MOST_SEEDERS = 1000;
/** What is the seeder's own fault, and not the origin's or the caller's: the next one may do better. */
const SEEDER_FAULTS: ReadonlySet<ErrorCode> = new Set(["no_seeder", "timeout", "internal", "protocol", "disk_full"]);

export interface LinkedSeeder {
  readonly peerId: PeerId;
  readonly host: string;
  readonly port: number;
  /** What `host` came to when it linked; undefined: it has no address. */
  readonly address: string | undefined;
  /** It serves browsers where it is asked to. */
  readonly webrtc: boolean;
}

interface Link extends LinkedSeeder {
  readonly socket: WebSocket;
  readonly pending: Map<number, { resolve(result: SeederResult): void; reject(error: Error): void }>;
}

export interface RegistryEvents {
  onTask(task: SeederTask, seeder: PeerId): void;
  /** It has the task no more; `deleted`: nobody is to have it. */
  onGone(task: TaskId, seeder: PeerId, reason: GoneReason): void;
  onSeederGone(seeder: PeerId): void;
  onStatus(status: StatusReport, seeder: LinkedSeeder): void;
}

/** A request without its number. */
export type SeederCall = SeederRequest extends infer Each ? (Each extends SeederRequest ? Omit<Each, "id"> : never) : never;

export interface SeederRegistryOptions {
  /** File of the cluster key that is pinned. */
  readonly pinPath: string;
  /** File of the limits that were set. */
  readonly limitsPath: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly events: RegistryEvents;
}

export class SeederRegistry {
  readonly #links = new Map<PeerId, Link>();
  readonly #events: RegistryEvents;
  readonly #logger: Logger;
  readonly #pinPath: string;
  readonly #clock: Clock;
  readonly #health = new SeederHealth();
  readonly #arrivals = new Set<() => void>();
  readonly #limitsPath: string;
  /** What was changed here, now or in an earlier run; a seeder that links later gets it too. */
  /** One after the other: they replace the same file. */
  #saving = Promise.resolve();
  #limits: Partial<SeederLimits>;
  #nextId = 1;

  private constructor(options: SeederRegistryOptions, limits: Partial<SeederLimits>) {
    this.#limits = limits;
    this.#limitsPath = options.limitsPath;
    this.#clock = options.clock;
    this.#pinPath = options.pinPath;
    this.#logger = options.logger;
    this.#events = options.events;
  }

  /** With the limits of the last run. */
  static async open(options: SeederRegistryOptions): Promise<SeederRegistry> {
    return new SeederRegistry(options, await loadLimits(options.limitsPath, options.logger));
  }

  get seeders(): LinkedSeeder[] {
    return [...this.#links.values()];
  }

  find(peerId: string): LinkedSeeder | undefined {
    return this.#links.get(peerId as PeerId);
  }

  /** Resolves when a seeder is linked; false where none came in time. */
  async waitForSeeder(limitMs: number): Promise<boolean> {
    if (this.#links.size > 0) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#arrivals.add(resolve);
    const timer = setTimeout(resolve, limitMs);
    await promise;
    clearTimeout(timer);
    this.#arrivals.delete(resolve);
    return this.#links.size > 0;
  }

  /** Asks the responsible seeder, then the next ones where it is away. Rejects with what the seeder said, or `no_seeder`. */
  async resolve(request: TaskRequest): Promise<SeederTask> {
    const { peer: _peer, ...asked } = request;
    let failure = new SkimmerError("no_seeder", "no seeder is linked to this supernode", {
      retriable: true,
      hint: "Start one with: seeder --supernode URL",
    });
    const usable = this.#health.usable([...this.#links.keys()], this.#clock.nowMs());
    for (const id of rendezvousOrder(contentKey(request), usable)) {
      const link = this.#links.get(id as PeerId);
      if (link === undefined) continue;
      try {
        const { task } = await this.#request(link, { kind: "resolve", request: asked });
        if (task === undefined) throw new SkimmerError("protocol", "the seeder answered without a task");
        this.#health.worked(id);
        return task;
      } catch (error) {
        if (!(error instanceof SkimmerError) || !SEEDER_FAULTS.has(error.code)) throw error;
        this.#health.failed(id, this.#clock.nowMs());
        this.#logger.warn({ host: link.host, port: link.port, code: error.code, err: error.message }, "seeder failed");
        if (error.code !== "no_seeder") failure = error;
      }
    }
    throw failure;
  }

  /** Has every seeder delete the task. */
  async delete(task: TaskId): Promise<void> {
    await this.askAll({ kind: "delete", task }, "not_found");
  }

  /** Bounds for each seeder, those that link later included. Answers what is in force now. */
  async setLimits(change: Partial<SeederLimits>): Promise<{ seeder: LinkedSeeder; result: SeederResult }[]> {
    this.#limits = { ...this.#limits, ...change };
    this.#saving = this.#saving.then(() => saveLimits(this.#limitsPath, this.#limits, this.#logger));
    await this.#saving;
    return this.askAll({ kind: "limits", set: change });
  }

  /** Asks one seeder. Rejects with what it said, or `no_seeder`. */
  async ask(seeder: PeerId, call: SeederCall): Promise<SeederResult> {
    const link = this.#links.get(seeder);
    if (link === undefined) throw new SkimmerError("no_seeder", "the seeder is not linked", { retriable: true });
    return this.#request(link, call);
  }

  /** Asks every seeder. Rejects with the first failure, other than the one that does not matter. */
  async askAll(call: SeederCall, harmless?: ErrorCode): Promise<{ seeder: LinkedSeeder; result: SeederResult }[]> {
    const links = [...this.#links.values()];
    const answers = await Promise.allSettled(links.map(async (seeder) => ({ seeder, result: await this.#request(seeder, call) })));
    const failed = answers.find((answer) => answer.status === "rejected" && (answer.reason as SkimmerError).code !== harmless);
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
    return answers.filter((answer) => answer.status === "fulfilled").map((answer) => answer.value);
  }

  /** A seeder opened its link. */
  accept(socket: WebSocket, request: IncomingMessage): void {
    const nonce = randomBytes(32);
    let link: Link | undefined;
    const limit = setTimeout(() => socket.close(4408, "no hello in time"), HELLO_LIMIT_MS);
    keepAlive(socket, PING_EVERY_MS);
    socket.on("error", (error) => this.#logger.debug({ err: error.message }, "seeder link failed"));
    socket.on("message", (bytes) => {
      void this.#onMessage(String(bytes), link, async (hello) => {
        link = await this.#welcome(socket, hello, { nonce, host: plainAddress(request.socket.remoteAddress ?? "") });
        if (link !== undefined) clearTimeout(limit);
      }).catch((error: unknown) => {
        this.#logger.warn({ err: String(error) }, "seeder sent nonsense");
        socket.close(4400, "malformed message");
      });
    });
    socket.on("close", () => {
      clearTimeout(limit);
      if (link !== undefined) this.#drop(link);
    });
    send(socket, { kind: "challenge", nonce: nonce.toString("base64") });
  }

  close(): void {
    for (const link of this.#links.values()) link.socket.terminate();
  }

  async #onMessage(
    text: string,
    link: Link | undefined,
    onHello: (hello: SeederMessage & { kind: "hello" }) => Promise<void>,
  ): Promise<void> {
    const message = parseSeederMessage(text);
    if (message.kind === "hello") return onHello(message);
    if (link === undefined) throw new SkimmerError("protocol", "seeder spoke before its hello");
    if (message.kind === "task") return this.#events.onTask(message.task, link.peerId);
    if (message.kind === "status") return this.#events.onStatus(message.status, link);
    if (message.kind === "gone") return this.#events.onGone(message.task, link.peerId, message.reason);
    const waiting = link.pending.get(message.id);
    link.pending.delete(message.id);
    // in the order of the messages: news of the same task may come right behind
    if (message.task !== undefined) this.#events.onTask(message.task, link.peerId);
    if (message.error === undefined) waiting?.resolve(message);
    else
      waiting?.reject(
        new SkimmerError(message.error.code as ErrorCode, message.error.message, {
          hint: message.error.hint,
          status: message.error.status,
        }),
      );
  }

  async #welcome(
    socket: WebSocket,
    hello: SeederMessage & { kind: "hello" },
    seen: { nonce: Buffer; host: string },
  ): Promise<Link | undefined> {
    const key = Buffer.from(hello.key, "base64");
    const peerId = parsePeerId(hello.peerId);
    const signed = Buffer.concat([Buffer.from(LINK_SIGNATURE_CONTEXT), seen.nonce]);
    const good =
      key.length === 32 && peerId !== undefined && verify(null, signed, publicKeyFrom(key), Buffer.from(hello.signature, "base64"));
    const refusal = !good
      ? "the signature does not fit the key"
      : this.#links.size >= MOST_SEEDERS
        ? "too many seeders"
        : await this.#checkPin(key);
    if (refusal !== undefined || peerId === undefined) {
      this.#logger.warn({ host: seen.host, refusal }, "seeder refused");
      socket.close(4401, refusal);
      return undefined;
    }
    // it may have gone while its key or its name was looked up: nobody would take its link away
    const host = hello.host ?? seen.host;
    const address = await addressOf(host);
    if (socket.readyState !== socket.OPEN) return undefined;
    this.#links.get(peerId)?.socket.terminate();
    const link: Link = { peerId, host, port: hello.port, address, webrtc: hello.webrtc === true, socket, pending: new Map() };
    this.#links.set(peerId, link);
    this.#logger.info({ host: link.host, port: link.port }, "seeder linked");
    send(socket, { kind: "welcome", seederId: peerId });
    if (Object.keys(this.#limits).length > 0) this.#request(link, { kind: "limits", set: this.#limits }).catch(() => undefined);
    for (const arrived of this.#arrivals) arrived();
    return link;
  }

  /** Pins the first key; answers why another one is refused. */
  async #checkPin(key: Buffer): Promise<string | undefined> {
    await writeFile(this.#pinPath, `${key.toString("hex")}\n`, { flag: "wx" }).catch(() => undefined);
    const pinned = (await readFile(this.#pinPath, "utf8")).trim();
    // a WebSocket close reason has room for 123 bytes
    return pinned === key.toString("hex")
      ? undefined
      : "another cluster key is in use here: copy cluster.key from the first seeder's data folder";
  }

  #drop(link: Link): void {
    if (this.#links.get(link.peerId) === link) {
      this.#links.delete(link.peerId);
      this.#events.onSeederGone(link.peerId);
      this.#logger.warn({ host: link.host, port: link.port }, "seeder gone");
    }
    for (const waiting of link.pending.values()) waiting.reject(new SkimmerError("no_seeder", "the seeder went away", { retriable: true }));
    link.pending.clear();
  }

  #request(link: Link, call: SeederCall): Promise<SeederResult> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        link.pending.delete(id);
        reject(new SkimmerError("timeout", "the seeder did not answer in time", { retriable: true }));
      }, REQUEST_LIMIT_MS);
      const done = (): void => clearTimeout(timer);
      link.pending.set(id, {
        resolve: (result) => {
          done();
          resolve(result);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
      send(link.socket, { ...call, id });
    });
  }
}

/** Announce answers hold addresses: a name is looked up once. */
async function addressOf(host: string): Promise<string | undefined> {
  if (isIP(host) !== 0) return host;
  return lookup(host).then(
    ({ address }) => address,
    () => undefined,
  );
}

function send(socket: WebSocket, message: SupernodeMessage): void {
  socket.send(JSON.stringify(message));
}
