/**
 * Hosts with limited links, as network namespaces: each is on one bridge by a pair of virtual interfaces, shaped both ways with tc.
 * Needs root, `ip` and `tc`.
 */
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const BURST_BYTES = 128 * 1024;
/** How long a full queue may hold a packet. */
const QUEUE_MS = 50;

/** Undefined where namespaces can be made here; otherwise what is missing. */
export function namespacesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return "network namespaces (run as root)";
  const ready = spawnSync("ip", ["-V"]).status === 0 && spawnSync("tc", ["-V"]).status === 0;
  return ready ? undefined : "ip and tc (apt-get install iproute2)";
}

export interface Host {
  readonly namespace: string;
  readonly address: string;
}

export class Network implements AsyncDisposable {
  readonly #prefix: string;
  readonly #hub: string;
  readonly #namespaces: string[] = [];

  private constructor(prefix: string) {
    this.#prefix = prefix;
    this.#hub = `${prefix}hub`;
  }

  static async create(): Promise<Network> {
    const network = new Network(`sk${process.pid}`);
    await network.#addNamespace(network.#hub);
    await inside(network.#hub, ["ip", "link", "add", "br0", "type", "bridge"]);
    await inside(network.#hub, ["ip", "link", "set", "br0", "up"]);
    return network;
  }

  /** A host on the bridge; `bitsPerSecond` each way, 0 is unlimited. */
  async addHost(bitsPerSecond: number): Promise<Host> {
    const number = this.#namespaces.length;
    const namespace = `${this.#prefix}h${number}`;
    const address = `10.99.${number >> 8}.${number & 255}`;
    await this.#addNamespace(namespace);
    const port = `p${number}`;
    await run("ip", ["link", "add", port, "netns", this.#hub, "type", "veth", "peer", "name", "eth0", "netns", namespace]);
    await inside(this.#hub, ["ip", "link", "set", port, "master", "br0", "up"]);
    await inside(namespace, ["ip", "addr", "add", `${address}/16`, "dev", "eth0"]);
    await inside(namespace, ["ip", "link", "set", "eth0", "up"]);
    await inside(namespace, ["ip", "link", "set", "lo", "up"]);
    // Linux's default, whatever this machine uses: BBR takes the queue of the opposite direction for a slow link
    await inside(namespace, ["ip", "route", "replace", "10.99.0.0/16", "dev", "eth0", "src", address, "congctl", "cubic"]);
    if (bitsPerSecond > 0) {
      await shape(this.#hub, port, bitsPerSecond);
      await shape(namespace, "eth0", bitsPerSecond);
    }
    return { namespace, address };
  }

  /** Removes the namespaces; their interfaces go with them. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of this.#namespaces.reverse()) await run("ip", ["netns", "delete", namespace]);
  }

  async #addNamespace(name: string): Promise<void> {
    await run("ip", ["netns", "add", name]);
    this.#namespaces.push(name);
  }
}

async function inside(namespace: string, command: readonly string[]): Promise<void> {
  await run("ip", ["netns", "exec", namespace, ...command]);
}

function shape(namespace: string, device: string, bitsPerSecond: number): Promise<void> {
  const limits = ["rate", `${bitsPerSecond}bit`, "burst", String(BURST_BYTES), "latency", `${QUEUE_MS}ms`];
  return inside(namespace, ["tc", "qdisc", "add", "dev", device, "root", "tbf", ...limits]);
}
