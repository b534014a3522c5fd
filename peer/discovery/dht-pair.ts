/**
 * The DHT over IPv4 and over IPv6 (BEP 32), two tables that are asked and told together. Drives.
 * Over which of them follows from where the peer port listens: nobody is told of a port that cannot be reached.
 */
import { isIPv6 } from "node:net";
import type { HostPort } from "../../system/addresses.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import type { FoundPeer } from "./announce.ts";
import { Dht, type DhtOptions } from "./dht.ts";

type Seeking = Disposable & { hurry(): void };

export class DhtPair implements AsyncDisposable {
  readonly #tables: readonly Dht[];

  private constructor(tables: readonly Dht[]) {
    this.#tables = tables;
  }

  /** Rejects where no port can be bound for either. */
  static async open(options: Omit<DhtOptions, "family">): Promise<DhtPair> {
    const opening = familiesAt(options.peer.host).map((family) => Dht.open({ ...options, family, file: fileFor(family, options.file) }));
    const settled = await Promise.allSettled(opening);
    const tables = settled.flatMap((table) => (table.status === "fulfilled" ? [table.value] : []));
    const failed = settled.find((table) => table.status === "rejected");
    if (failed !== undefined && tables.length === 0) throw failed.reason;
    // a machine without IPv6 is none the worse for it
    if (failed !== undefined) options.logger.debug({ err: failed.reason }, "the DHT is used over one kind of address only");
    return new DhtPair(tables);
  }

  /** A node that a torrent or a peer named. */
  addNode(node: HostPort): void {
    for (const table of this.#tables) table.addNode(node);
  }

  /** Announces and searches now and then, until the answer is disposed of. */
  join(infoHash: InfoHash, onPeer: (peer: FoundPeer) => void): Seeking {
    return together(this.#tables.map((table) => table.join(infoHash, onPeer)));
  }

  /** Searches without announcing; the nodes that are asked see the info hash and who asks. */
  search(infoHash: InfoHash, onPeer: (peer: FoundPeer) => void): Seeking {
    return together(this.#tables.map((table) => table.search(infoHash, onPeer)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#tables.map((table) => table[Symbol.asyncDispose]()));
  }
}

/** Over which addresses a port at this host can be reached. */
export function familiesAt(host: string): readonly (4 | 6)[] {
  if (host === "::") return [4, 6];
  return isIPv6(host) ? [6] : [4];
}

function fileFor(family: 4 | 6, file: string): string {
  return family === 4 ? file : file.replace(/(\.json)?$/, "6$1");
}

function together(seeking: readonly Seeking[]): Seeking {
  return {
    hurry: () => {
      for (const one of seeking) one.hurry();
    },
    [Symbol.dispose]: () => {
      for (const one of seeking) one[Symbol.dispose]();
    },
  };
}
