/**
 * libtorrent through its Python binding.
 */
import { hasLibtorrent, LIBTORRENT_PEER, PYTHON } from "../../test/support/tools.ts";
import { lineContender } from "./line-contender.ts";

export const libtorrent = lineContender({
  name: "libtorrent",
  command: PYTHON,
  missing: () => (hasLibtorrent() ? undefined : "libtorrent (apt-get install python3-libtorrent)"),
  seedArgs: (content) => [LIBTORRENT_PEER, content.torrentPath, content.folder, "seed"],
  leechArgs: (content, { folder, peer }) => [LIBTORRENT_PEER, content.torrentPath, folder, "leech", "--on-go", peer],
  outputName: (content) => content.name,
});
