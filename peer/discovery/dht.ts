/**
 * The distributed hash table (BEP 5): finds and is found without any tracker. Drives bittorrent-dht, which is loaded when first needed.
 *
 * One table, over IPv4 or IPv6 (BEP 32; the package knows IPv4 only, so that others stand in for IPv6 addresses). Nodes that answered are kept in a file, so that the next life needs no bootstrap node.
 * Invariant: at most MOST_LOOKUPS searches at a time; a torrent is announced every quarter of an hour, one that lacks peers each half minute.
 */
import { randomBytes } from "node:crypto";
import type dgram from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Client } from "bittorrent-dht";
import type { HostPort } from "../../system/addresses.ts";
import type { Clock } from "../../system/clock.ts";
import type { Logger } from "../../system/logger.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { FoundPeer } from "./announce.ts";
import { type DhtNode, readNodes, writeNodes } from "./dht-nodes.ts";
import { dht6Socket } from "./dht6-socket.ts";
import { guardedSocket } from "./guarded-socket.ts";
import { StandIns } from "./stand-ins.ts";

export interface DhtOptions {
  readonly family: 4 | 6;
  /** Where the peer port listens; the UDP port has the same number where that is free. */
  readonly peer: HostPort;
  /** The port that peers dial from outside; absent: the same. */
  readonly announcedPort?: number;
  /** Where to begin; others follow from them. */
  readonly bootstrap: readonly HostPort[];
  /** Where nodes are kept. */
  readonly file: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

interface Sought {
  readonly infoHash: InfoHash;
  readonly onPeer: (peer: FoundPeer) => void;
  /** False: nobody is told that we are to be found. */
  readonly announces: boolean;
  timer: NodeJS.Timeout | undefined;
  askedMs: number;
}

const ANNOUNCE_EVERY_MS = 15 * 60_000;
const STARVING_MS = 30_000;
/** A table that is still empty knows more in a moment. */
const FIRST_AGAIN_MS = 10_000;
const MOST_LOOKUPS = 4;
const MOST_STORED_PEERS = 1000;
const SAVE_EVERY_MS = 10 * 60_000;
const KEY_BYTES = 32;

export class Dht implements AsyncDisposable {
  readonly #options: DhtOptions;
  readonly #client: Client;
  readonly #names: Names;
  readonly #sought = new Map<InfoHash, Sought>();
  readonly #queue: Sought[] = [];
  readonly #saveTimer: NodeJS.Timeout;
  #lookups = 0;
  #closed = false;

  private constructor(options: DhtOptions, client: Client, names: Names) {
    this.#options = options;
    this.#client = client;
    this.#names = names;
    const onPeer = (peer: FoundPeer, infoHash: Buffer): void => {
      const host = names.hostOf(peer.host);
      if (host !== undefined) this.#sought.get(infoHash.toString("hex") as InfoHash)?.onPeer({ host, port: peer.port });
    };
    client.on("peer", onPeer);
    // told to us as a node of the table
    client.on("announce", onPeer);
    client.on("warning", (error) => options.logger.debug({ err: error.message }, "DHT"));
    client.on("error", (error) => options.logger.warn({ err: error.message }, "the DHT failed"));
    this.#saveTimer = setInterval(() => void this.#save(), SAVE_EVERY_MS);
    this.#saveTimer.unref();
  }

  /** Loads the package and binds the port. Rejects where neither the wanted port nor another one can be bound. */
  static async open(options: DhtOptions): Promise<Dht> {
    const { Client } = await import("bittorrent-dht");
    const known = await readNodes(options.file);
    const { clock, logger, family } = options;
    const onDropped = (err: unknown): void => logger.debug({ err }, "a DHT datagram was dropped");
    const guarded = guardedSocket({ family, nowMs: () => clock.nowMs(), onDropped });
    const standIns = new StandIns(randomBytes(KEY_BYTES));
    const [socket, names] = family === 4 ? [guarded, AS_THEY_ARE] : [dht6Socket(guarded, standIns), standIns];
    await bind(socket, options);
    const bootstrap = [...options.bootstrap, ...known].flatMap((node) => nodeFor(node, { family, names }) ?? []);
    const client = new Client({
      bootstrap: bootstrap.length === 0 ? false : bootstrap,
      socket,
      maxPeers: MOST_STORED_PEERS,
      maxTables: MOST_STORED_PEERS,
      maxValues: MOST_STORED_PEERS,
    });
    // the package listens for it, and was not there when it happened
    socket.emit("listening");
    return new Dht(options, client, names);
  }

  /** The UDP port. */
  get port(): number {
    return this.#client.address().port;
  }

  /** A node that a torrent or a peer named. */
  addNode(node: DhtNode): void {
    const { family } = this.#options;
    const add = (found: DhtNode): void => {
      const known = nodeFor(found, { family, names: this.#names });
      if (known !== undefined && !this.#closed) this.#client.addNode(known);
    };
    if (family === 4 || isIP(node.host) > 0) return add(node);
    // the package would look for an IPv4 address
    lookup(node.host, { family }).then(
      ({ address }) => add({ host: address, port: node.port }),
      () => undefined,
    );
  }

  /** Announces and searches now and then, until the answer is disposed of. */
  join(infoHash: InfoHash, onPeer: (peer: FoundPeer) => void): Disposable & { hurry(): void } {
    return this.#seek({ infoHash, onPeer, announces: true });
  }

  /** Searches without announcing; the nodes that are asked see the info hash and who asks. */
  search(infoHash: InfoHash, onPeer: (peer: FoundPeer) => void): Disposable & { hurry(): void } {
    return this.#seek({ infoHash, onPeer, announces: false });
  }

  #seek(wanted: Pick<Sought, "infoHash" | "onPeer" | "announces">): Disposable & { hurry(): void } {
    const { infoHash } = wanted;
    const sought: Sought = { ...wanted, timer: undefined, askedMs: Number.NEGATIVE_INFINITY };
    this.#sought.set(infoHash, sought);
    this.#enqueue(sought);
    return {
      hurry: () => {
        const waitMs = sought.askedMs + STARVING_MS - this.#options.clock.nowMs();
        if (!this.#queue.includes(sought)) this.#again(sought, Math.max(0, waitMs));
      },
      [Symbol.dispose]: () => {
        clearTimeout(sought.timer);
        if (this.#sought.get(infoHash) === sought) this.#sought.delete(infoHash);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#saveTimer);
    for (const { timer } of this.#sought.values()) clearTimeout(timer);
    this.#sought.clear();
    await this.#save();
    await new Promise<void>((resolve) => this.#client.destroy(resolve));
  }

  async #save(): Promise<void> {
    const { file, logger } = this.#options;
    const nodes = this.#client.toJSON().nodes.flatMap(({ host, port }) => {
      const real = this.#names.hostOf(host);
      return real === undefined ? [] : [{ host: real, port }];
    });
    await writeNodes(file, nodes).catch((error: unknown) => logger.warn({ err: error }, "DHT nodes were not kept"));
  }

  #enqueue(sought: Sought): void {
    if (!this.#queue.includes(sought)) this.#queue.push(sought);
    this.#next();
  }

  #next(): void {
    while (this.#lookups < MOST_LOOKUPS && !this.#closed) {
      const sought = this.#queue.shift();
      if (sought === undefined) return;
      if (this.#sought.get(sought.infoHash) !== sought) continue;
      this.#lookups++;
      if (this.#options.family === 6) this.#beginAnew();
      const first = sought.askedMs === Number.NEGATIVE_INFINITY;
      sought.askedMs = this.#options.clock.nowMs();
      const { peer, announcedPort = peer.port } = this.#options;
      // announce() alone would not search again within five minutes
      this.#client.lookup(sought.infoHash, () => {
        const onDone = (error: Error | null): void => {
          this.#lookups--;
          const delayMs = first || error !== null ? FIRST_AGAIN_MS : ANNOUNCE_EVERY_MS;
          this.#again(sought, delayMs * (0.9 + this.#options.random() / 5));
          this.#next();
        };
        if (sought.announces) this.#client.announce(sought.infoHash, announcedPort, onDone);
        else onDone(null);
      });
    }
  }

  /** An empty table asks those that it began with: the package does so itself where it knows their addresses. */
  #beginAnew(): void {
    if (this.#client.toJSON().nodes.length === 0) for (const node of this.#options.bootstrap) this.addNode(node);
  }

  #again(sought: Sought, delayMs: number): void {
    clearTimeout(sought.timer);
    if (this.#closed || this.#sought.get(sought.infoHash) !== sought) return;
    sought.timer = setTimeout(() => this.#enqueue(sought), delayMs);
    sought.timer.unref();
  }
}

/** How the package calls hosts. */
interface Names {
  standInFor(host: string): string | undefined;
  hostOf(standIn: string): string | undefined;
}

const AS_THEY_ARE: Names = { standInFor: (host) => host, hostOf: (host) => host };

/** A node as the package takes it; undefined where it is none of this table's, or has a name only, which the package can read for IPv4. */
function nodeFor(node: DhtNode, { family, names }: { family: 4 | 6; names: Names }): DhtNode | undefined {
  const kind = isIP(node.host);
  if (family === 4) return kind === 6 ? undefined : node;
  const host = kind === 6 ? names.standInFor(node.host) : undefined;
  return host === undefined ? undefined : { host, port: node.port };
}

/** The wanted port, or any free one. */
async function bind(socket: dgram.Socket, { family, peer: { host, port } }: Pick<DhtOptions, "family" | "peer">): Promise<void> {
  const address = family === 4 && (host === "::" || host === "localhost") ? "0.0.0.0" : host;
  const bindAt = (wanted: number): Promise<void> =>
    new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(wanted, address, () => {
        socket.off("error", reject);
        resolve();
      });
    });
  await bindAt(port).catch(() => bindAt(0));
}
