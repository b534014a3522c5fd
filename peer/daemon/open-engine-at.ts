/**
 * Opens the daemon's engine at its peer port. Drives.
 */
import { randomBytes } from "node:crypto";
import type { HostPort } from "../../system/addresses.ts";
import { toSkimmerError } from "../../system/errors.ts";
import type { Logger } from "../../system/logger.ts";
import { makePeerId } from "../../torrents/peer-id.ts";
import { openEngine } from "../engine/engine.ts";
import type { EncryptionPolicy } from "../engine/mse/encryption-policy.ts";
import type { Engine } from "../engine/types.ts";
import type { AdvertisedPlace } from "./advertised-place.ts";

export interface EngineAtOptions {
  readonly peerListen: HostPort;
  /** True: another port is no substitute for a taken one. */
  readonly peerPortGiven: boolean;
  readonly uploadBytesPerSecond: number;
  readonly downloadBytesPerSecond: number;
  readonly encryption: EncryptionPolicy;
  /** Where other hosts reach the peer port; absent: at the address that a supernode sees. */
  readonly advertise?: AdvertisedPlace;
  readonly logger: Logger;
}

/** The engine at the wanted port, or at a free one where the wanted one was only the default. */
export async function openEngineAt(options: EngineAtOptions): Promise<Engine> {
  const { peerListen, logger, uploadBytesPerSecond, downloadBytesPerSecond, encryption } = options;
  const common = {
    role: "peer",
    peerId: makePeerId("peer", randomBytes(20)),
    uploadBytesPerSecond,
    downloadBytesPerSecond,
    encryption,
    advertisedPort: options.advertise?.port,
    logger,
  } as const;
  try {
    return await openEngine({ ...common, listen: peerListen });
  } catch (thrown) {
    if (toSkimmerError(thrown).code !== "address_in_use" || options.peerPortGiven) throw thrown;
    logger.info({ port: peerListen.port }, "the default peer port is taken; using a free one");
    return openEngine({ ...common, listen: { ...peerListen, port: 0 } });
  }
}
