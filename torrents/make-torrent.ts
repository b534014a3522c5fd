/**
 * Info dicts of files of one's own: v1, v2 or hybrid, one file or a folder. Decides.
 *
 * The twins of a folder have layouts of their own: v1 puts the files end to end, since clients that do not know padding files (aria2)
 * would download and write them. A hybrid needs the padding (BEP 47, 52).
 */
import { type Encodable, encode } from "./bencode.ts";
import { geometryOf } from "./geometry.ts";
import { piecesRoot } from "./merkle.ts";
import { alignedOffsets, type LayoutFile, layoutGeometry, piecesOf, type TorrentLayout } from "./torrent-layout.ts";

/** A file to put into a torrent. */
export interface OwnFile {
  readonly path: readonly string[];
  readonly lengthBytes: number;
  readonly executable: boolean;
}

export interface OwnContent {
  readonly name: string;
  /** One file that lies in no folder. */
  readonly isSingle: boolean;
  readonly files: readonly OwnFile[];
  readonly pieceLengthBytes: number;
}

/** Hashes of all pieces of a layout. */
export interface PieceHashes {
  /** 20 bytes a piece, over the padding too. */
  readonly sha1s: Buffer;
  /** 32 bytes a piece. */
  readonly roots: Buffer;
}

const HASH_BYTES = 32;

/** The order of files in a v2 file tree: names by their bytes, folder by folder. */
export function compareFiles(a: Pick<OwnFile, "path">, b: Pick<OwnFile, "path">): number {
  for (let at = 0; at < a.path.length && at < b.path.length; at++) {
    const order = Buffer.compare(Buffer.from(a.path[at]), Buffer.from(b.path[at]));
    if (order !== 0) return order;
  }
  return a.path.length - b.path.length;
}

/** How the files lie in the pieces: end to end, or each at the beginning of a piece. */
export function layoutOf(content: OwnContent, aligned: boolean): TorrentLayout {
  const { name, isSingle, pieceLengthBytes } = content;
  const ordered = [...content.files].sort(compareFiles);
  const lengths = ordered.map(({ lengthBytes }) => lengthBytes);
  const { offsets, endBytes } = alignedOffsets(lengths, aligned ? pieceLengthBytes : 1);
  const files = ordered.map((file, index) => ({ ...file, offset: offsets[index] }));
  return { name, isSingle, files, geometry: layoutGeometry(files, { lengthBytes: endBytes, pieceLengthBytes }) };
}

/** Bencoded v1 info dict of a layout that is not aligned. */
export function makeOwnV1(layout: TorrentLayout, hashes: Pick<PieceHashes, "sha1s">, isPrivate: boolean): Buffer {
  return encode({ ...commonOf(layout, isPrivate), ...v1Part(layout, hashes.sha1s) });
}

/** Bencoded v2 info dict of an aligned layout. */
export function makeOwnV2(layout: TorrentLayout, hashes: Pick<PieceHashes, "roots">, isPrivate: boolean): Buffer {
  return encode({ ...commonOf(layout, isPrivate), ...v2Part(layout, hashes.roots) });
}

/** Bencoded dict that is both, of an aligned layout. */
export function makeHybrid(layout: TorrentLayout, hashes: PieceHashes, isPrivate: boolean): Buffer {
  return encode({ ...commonOf(layout, isPrivate), ...v1Part(layout, hashes.sha1s), ...v2Part(layout, hashes.roots) });
}

/** The root of a file's Merkle tree, from the roots of all pieces; undefined: it is empty. */
export function rootOfFile(file: LayoutFile, pieceLengthBytes: number, roots: Buffer): Buffer | undefined {
  const layer = layerOf(file, pieceLengthBytes, roots);
  return layer && piecesRoot(layer, geometryOf({ lengthBytes: file.lengthBytes, pieceLengthBytes }));
}

/** Piece layers as a .torrent carries them: of files of more than one piece. */
export function layersOf(layout: TorrentLayout, roots: Buffer): { piecesRoot: Buffer; hashes: Buffer }[] {
  const { pieceLengthBytes } = layout.geometry;
  return layout.files.flatMap((file) => {
    const root = rootOfFile(file, pieceLengthBytes, roots);
    const hashes = layerOf(file, pieceLengthBytes, roots);
    return root === undefined || hashes === undefined || file.lengthBytes <= pieceLengthBytes ? [] : [{ piecesRoot: root, hashes }];
  });
}

function layerOf(file: LayoutFile, pieceLengthBytes: number, roots: Buffer): Buffer | undefined {
  const span = piecesOf(file, pieceLengthBytes);
  return span && roots.subarray(span.first * HASH_BYTES, (span.last + 1) * HASH_BYTES);
}

type Fields = Readonly<Record<string, Encodable | undefined>>;

function commonOf({ name, geometry }: TorrentLayout, isPrivate: boolean): Fields {
  return { name, "piece length": geometry.pieceLengthBytes, private: isPrivate ? 1 : undefined };
}

function v1Part(layout: TorrentLayout, sha1s: Buffer): Fields {
  const [only] = layout.files;
  if (layout.isSingle) return { length: only.lengthBytes, pieces: sha1s, attr: attrOf(only) };
  return { files: v1Files(layout), pieces: sha1s };
}

/** The files in order, with padding where the layout leaves gaps. */
function v1Files({ files }: TorrentLayout): Encodable[] {
  const listed: Encodable[] = [];
  let end = 0;
  for (const file of files) {
    const gap = file.lengthBytes === 0 ? 0 : file.offset - end;
    if (gap > 0) listed.push({ attr: "p", length: gap, path: [".pad", String(gap)] });
    listed.push({ attr: attrOf(file), length: file.lengthBytes, path: [...file.path] });
    if (file.lengthBytes > 0) end = file.offset + file.lengthBytes;
  }
  return listed;
}

function v2Part(layout: TorrentLayout, roots: Buffer): Fields {
  const tree: Map<string, Encodable> = new Map();
  for (const file of layout.files) {
    let folder = tree;
    for (const part of file.path.slice(0, -1)) folder = subfolder(folder, keyOf(part));
    const root = rootOfFile(file, layout.geometry.pieceLengthBytes, roots);
    folder.set(keyOf(file.path[file.path.length - 1]), { "": { attr: attrOf(file), length: file.lengthBytes, "pieces root": root } });
  }
  return { "file tree": tree, "meta version": 2 };
}

function subfolder(folder: Map<string, Encodable>, key: string): Map<string, Encodable> {
  const found = folder.get(key);
  if (found instanceof Map) return found as Map<string, Encodable>;
  const made: Map<string, Encodable> = new Map();
  folder.set(key, made);
  return made;
}

function attrOf({ executable }: Pick<OwnFile, "executable">): string | undefined {
  return executable ? "x" : undefined;
}

/** Keys of dicts are latin1, so that any bytes survive. */
function keyOf(name: string): string {
  return Buffer.from(name, "utf8").toString("latin1");
}
