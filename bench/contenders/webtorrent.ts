/**
 * webtorrent (a development dependency), TCP only.
 */
import { fileURLToPath } from "node:url";
import { lineContender } from "./line-contender.ts";

const PEER = fileURLToPath(new URL("./webtorrent-peer.ts", import.meta.url));

export const webtorrent = lineContender({
  name: "webtorrent",
  command: process.execPath,
  missing: () => {
    try {
      import.meta.resolve("webtorrent");
      return undefined;
    } catch {
      return "webtorrent (npm install)";
    }
  },
  seedArgs: (content) => [PEER, "seed", content.torrentPath, content.folder],
  leechArgs: (content, { folder, peer }) => [PEER, "leech", content.torrentPath, folder, peer],
  outputName: (content) => content.name,
});
