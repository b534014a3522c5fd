/**
 * This browser as a peer of a task's swarm: webtorrent, WebRTC, this supernode's WebSocket tracker. Drives webtorrent.
 * Nobody else is asked: no other tracker, no STUN server, no web seed.
 */

/** What we use of webtorrent. */
interface WebTorrentFile {
  stream(): ReadableStream<Uint8Array>;
}

interface WebTorrentTorrent {
  readonly progress: number;
  readonly downloaded: number;
  readonly downloadSpeed: number;
  readonly uploaded: number;
  readonly numPeers: number;
  readonly files: readonly WebTorrentFile[];
  announce: string[];
  on(event: string, listener: (value: Error) => void): void;
}

interface WebTorrentClient {
  add(torrent: Uint8Array, options: object): WebTorrentTorrent;
  on(event: string, listener: (value: Error) => void): void;
  destroy(done: () => void): void;
}

interface Bundle {
  readonly default: new (options: object) => WebTorrentClient;
}

export interface SwarmFigures {
  readonly share: number;
  readonly bytes: number;
  readonly bytesPerSecond: number;
  readonly sentBytes: number;
  readonly peers: number;
}

export interface SwarmEvents {
  /** Every piece is here, and verified. */
  onDone(): void;
  onFailed(message: string): void;
}

const BUNDLE: string = "/assets/webtorrent.js";
const TORRENT_LIMIT_MS = 30_000;
const CALL_LIMIT_MS = 30_000;

export class BrowserSwarm {
  readonly #client: WebTorrentClient;
  readonly #torrent: WebTorrentTorrent;

  private constructor(Client: Bundle["default"], torrent: Uint8Array, events: SwarmEvents) {
    const announce = [`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/announce`];
    this.#client = new Client({ dht: false, lsd: false, utPex: false, webSeeds: false, tracker: { rtcConfig: { iceServers: [] } } });
    this.#client.on("error", (error) => events.onFailed(error.message));
    this.#torrent = this.#client.add(torrent, { announce });
    this.#torrent.on("infoHash", () => {
      this.#torrent.announce = announce;
    });
    this.#torrent.on("error", (error) => events.onFailed(error.message));
    this.#torrent.on("done", () => events.onDone());
  }

  /** Joins the swarm of a final task. Rejects with what went wrong. */
  static async join(task: string, events: SwarmEvents): Promise<BrowserSwarm> {
    // seeders come when they are called; those who are there when we announce get our offers at once
    const called = fetch(`/api/v1/tasks/${task}/browsers`, { signal: AbortSignal.timeout(CALL_LIMIT_MS) });
    const answer = await fetch(`/api/v1/tasks/${task}/torrent`, { signal: AbortSignal.timeout(TORRENT_LIMIT_MS) });
    if (!answer.ok) throw new Error(`the supernode does not give the torrent (${answer.status})`);
    const torrent = new Uint8Array(await answer.arrayBuffer());
    const { default: Client } = (await import(BUNDLE)) as Bundle;
    await called.catch(() => undefined);
    return new BrowserSwarm(Client, torrent, events);
  }

  get figures(): SwarmFigures {
    const { progress, downloaded, downloadSpeed, uploaded, numPeers } = this.#torrent;
    return { share: progress, bytes: downloaded, bytesPerSecond: downloadSpeed, sentBytes: uploaded, peers: numPeers };
  }

  /** The whole content, once it is done. */
  stream(): ReadableStream<Uint8Array> {
    return this.#torrent.files[0].stream();
  }

  /** Leaves the swarm. What is stored stays. */
  leave(): Promise<void> {
    return new Promise((resolve) => this.#client.destroy(resolve));
  }
}
