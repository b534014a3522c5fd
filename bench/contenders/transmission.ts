/**
 * transmission-cli. A script that it runs at the end tells us that it is done. It refuses peers on 127.0.0.0/8, so that both sides
 * meet on another address of this machine.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { dirname, join } from "node:path";
import { trackedContender } from "./tracked-contender.ts";

/** TCP only: over uTP it takes minutes on loopback. */
const SETTINGS = { "utp-enabled": false, "dht-enabled": false, "lpd-enabled": false, "speed-limit-up-enabled": false };

function common(folder: string, port: number): readonly string[] {
  const configuration = join(folder, `transmission-${port}`);
  mkdirSync(configuration, { recursive: true });
  writeFileSync(join(configuration, "settings.json"), JSON.stringify(SETTINGS));
  const limits = ["--no-uplimit", "--no-downlimit"];
  const place = ["--config-dir", configuration, "--port", String(port), "--download-dir", folder];
  return ["transmission-cli", "--encryption-tolerated", "--no-portmap", ...limits, ...place];
}

export const transmission = trackedContender({
  name: "transmission",
  // 8.4 MB/s from one peer, whatever its limits say: two minutes
  slow: true,
  host: ownAddress(),
  missing: () => {
    if (spawnSync("transmission-cli", ["--version"]).error) return "transmission (apt-get install transmission-cli)";
    return ownAddress() === undefined ? "transmission (it refuses loopback peers, and this machine has no other IPv4 address)" : undefined;
  },
  seedCommand: ({ torrent, folder, port }) => [...common(folder, port), torrent],
  leechCommand: ({ torrent, folder, port, done }) => {
    mkdirSync(dirname(done), { recursive: true });
    writeFileSync(done, `#!/bin/sh\n: > "${done}.said"\n`);
    chmodSync(done, 0o755);
    return [...common(folder, port), "--finish", done, torrent];
  },
  endsWhenDone: false,
});

function ownAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, address }) => family === "IPv4" && !address.startsWith("127."))?.address;
}
