/**
 * Where a daemon keeps its things, computed alike by daemon and dfget. Decides.
 *
 * A Unix socket path has about 104 bytes (macOS) to 108 (Linux); with a longer home the socket moves to the temporary
 * folder, under a name derived from home and user, so that both sides find it and two users never meet.
 */
import { join } from "node:path";

export interface HomePaths {
  readonly home: string;
  readonly tasks: string;
  readonly spool: string;
  readonly socket: string;
  /** Held by the running daemon. */
  readonly lock: string;
  /** Held by the dfget that is starting a daemon. */
  readonly startLock: string;
  readonly log: string;
  /** Private key that signs the torrents which this host makes by itself. */
  readonly key: string;
  /** Nodes of the DHT that answered. */
  readonly dhtNodes: string;
}

const MAX_SOCKET_PATH_BYTES = 96;
const OWNER_SUFFIX = ".own";

/** The socket of the daemon's own user, beside one that a group may use. */
export function ownerSocket(socket: string): string {
  return `${socket}${OWNER_SUFFIX}`;
}

/** All paths for an absolute `home`. */
export function homePaths(input: { home: string; uid: number; temporary: string }): HomePaths {
  const { home } = input;
  return {
    home,
    tasks: join(home, "tasks"),
    spool: join(home, "spool"),
    socket: socketPath(input),
    lock: join(home, "dfdaemon.lock"),
    startLock: join(home, "start.lock"),
    log: join(home, "dfdaemon.log"),
    key: join(home, "local-key.pem"),
    dhtNodes: join(home, "dht-nodes.json"),
  };
}

function socketPath(input: { home: string; uid: number; temporary: string }): string {
  const plain = join(input.home, "dfdaemon.sock");
  if (Buffer.byteLength(plain) <= MAX_SOCKET_PATH_BYTES) return plain;
  // Only here: loading node:crypto costs every dfget 5 ms.
  const { hash } = process.getBuiltinModule("node:crypto");
  const name = hash("sha256", `${input.uid}\n${input.home}`, "hex").slice(0, 16);
  return join(input.temporary, `skimmer-${input.uid}-${name}.sock`);
}
