/**
 * aria2c as a torrent client.
 */
import { hasAria2 } from "../../test/support/tools.ts";
import { trackedContender } from "./tracked-contender.ts";

const QUIET = [
  "--enable-dht=false",
  "--bt-enable-lpd=false",
  "--enable-peer-exchange=false",
  "--summary-interval=0",
  "--file-allocation=none",
];

export const aria2 = trackedContender({
  name: "aria2",
  missing: () => (hasAria2() ? undefined : "aria2 (apt-get install aria2)"),
  seedCommand: ({ torrent, folder, port }) => [
    "aria2c",
    ...QUIET,
    `--listen-port=${port}`,
    `--dir=${folder}`,
    "--bt-seed-unverified=true",
    "--seed-ratio=0.0",
    "--allow-overwrite=true",
    torrent,
  ],
  leechCommand: ({ torrent, folder, port }) => ["aria2c", ...QUIET, `--listen-port=${port}`, `--dir=${folder}`, "--seed-time=0", torrent],
  endsWhenDone: true,
});
