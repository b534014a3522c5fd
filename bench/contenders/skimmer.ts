/**
 * Our engine, one process a peer (engine-peer.ts), with the compile cache that the launchers switch on.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lineContender } from "./line-contender.ts";

const PEER = fileURLToPath(new URL("./engine-peer.ts", import.meta.url));

export const skimmer = lineContender({
  name: "Skimmer",
  command: process.execPath,
  env: { NODE_COMPILE_CACHE: join(tmpdir(), "skimmer-bench-cache") },
  missing: () => undefined,
  seedArgs: (content) => [PEER, "seed", content.torrentPath, join(content.folder, "seed"), join(content.folder, content.name)],
  leechArgs: (content, { folder, peer }) => [PEER, "leech", content.torrentPath, folder, peer],
  outputName: () => "data",
});
