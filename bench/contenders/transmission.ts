/**
 * transmission-cli. A script that it runs at the end tells us that it is done. It refuses peers on 127.0.0.0/8, so that both sides
 * meet on another address of this machine.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { dirname, join } from "node:path";
import { trackedContender } from "./tracked-contender.ts";

const common = (folder: string, port: number): readonly string[] => [
  "transmission-cli",
  "--encryption-tolerated",
  "--no-portmap",
  "--no-uplimit",
  "--no-downlimit",
  "--config-dir",
  join(folder, `transmission-${port}`),
  "--port",
  String(port),
  "--download-dir",
  folder,
];

export const transmission = trackedContender({
  name: "transmission",
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
