/** .torrent files, info dicts of all versions, live info dicts and magnet links. Decides. */
import { hash } from "node:crypto";
import { encode } from "../../../torrents/bencode.ts";
import { makeInfoV1, makeInfoV2, parseInfoV1, parseInfoV2 } from "../../../torrents/final-torrents.ts";
import { geometryOf } from "../../../torrents/geometry.ts";
import { encodeLiveInfo, parseLiveInfo } from "../../../torrents/live-info.ts";
import { parseMagnet } from "../../../torrents/magnet-link.ts";
import { infoVersions, parseInfos } from "../../../torrents/parse-info.ts";
import { parseTorrentFile } from "../../../torrents/parse-torrent-file.ts";
import { magnetLink, torrentFile } from "../../../torrents/torrent-file.ts";
import { randomBytesOf } from "../random.ts";
import type { FuzzTarget } from "../target.ts";

const geometry = geometryOf({ lengthBytes: 100_000, pieceLengthBytes: 16384 });

export const metainfo: FuzzTarget = {
  name: "metainfo",
  samples: (random) => {
    const root = randomBytesOf(random, 32);
    const infoV1 = makeInfoV1({ name: "file.bin", geometry, sha1s: randomBytesOf(random, 140) });
    const infoV2 = makeInfoV2({ name: "file.bin", geometry, piecesRoot: root });
    const files = [
      { length: 5, path: ["a", "b"] },
      { length: 16379, path: [".pad", "16379"], attr: "p" },
      { length: 70_000, path: ["c"] },
    ];
    const multi = encode({ files, name: "folder", "piece length": 16384, pieces: randomBytesOf(random, 120) });
    const tree = { a: { "": { length: 5, "pieces root": root } }, c: { d: { "": { length: 70_000, "pieces root": root } } } };
    const multiV2 = encode({ "file tree": tree, "meta version": 2, name: "folder", "piece length": 16384 });
    const trackers = ["http://t.example/announce", "udp://t.example:1"];
    const layer = { piecesRoot: root, hashes: randomBytesOf(random, 224) };
    return [
      infoV1,
      infoV2,
      multi,
      multiV2,
      torrentFile({ info: infoV1, trackers }),
      torrentFile({ info: infoV2, trackers, layers: [layer] }),
      torrentFile({ info: multi, trackers }),
      encodeLiveInfo({ name: "file.bin", ...geometry, key: root, task: hash("sha256", root, "buffer") }),
      Buffer.from(magnetLink({ name: "a file", infoV1, infoV2, trackers })),
      Buffer.from("magnet:?xt=urn:btih:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&so=0,2-4&x.pe=[::1]:5&ws=http://x/"),
    ];
  },
  run: (input, random) => {
    // each input goes to one reader, which is chosen by its own numbers
    const readers = [
      () => readFile(input),
      () => parseInfos({ infoV1: input }),
      () => parseInfos({ infoV2: input }),
      () => parseInfos({ infoV1: input, infoV2: input }),
      () => parseInfoV1(input),
      () => parseInfoV2(input),
      () => parseLiveInfo(input),
      () => parseMagnet(input.toString("latin1")),
    ];
    readers[Math.floor(random() * readers.length)]();
  },
};

function readFile(input: Buffer): void {
  const { info, layerOf } = parseTorrentFile(input);
  const { isV1, isV2 } = infoVersions(info);
  if (!isV1 && !isV2) return;
  const { layout } = parseInfos({ infoV1: isV1 ? info : undefined, infoV2: isV2 ? info : undefined });
  for (const { piecesRoot, path } of layout.files) {
    if (path.some((part) => part === ".." || part === "")) throw new Error(`unsafe path ${path.join("/")}`);
    if (piecesRoot !== undefined) layerOf(piecesRoot);
  }
}
