/**
 * Reads info dicts that somebody else made: v1, v2 and hybrid, one file or many, into a layout and hashes. Decides.
 *
 * Everything is bounded and every path is made harmless. Twins (a v1 and a v2 dict of one torrent) and hybrids must agree about
 * their files; what contradicts itself is refused. Throws SkimmerError `protocol`.
 */
import { SkimmerError } from "../system/errors.ts";
import { type BencodeDict, decodeDict, dictBytes, dictDict, dictInt, dictList, dictString } from "./bencode.ts";
import { BLOCK_BYTES, MAX_PIECE_BYTES, MAX_PIECE_COUNT } from "./geometry.ts";
import { safeName } from "./safe-name.ts";
import { nameCleaner, PathKeeper, safePath } from "./safe-paths.ts";
import { alignedOffsets, type LayoutFile, layoutGeometry, type TorrentLayout } from "./torrent-layout.ts";

/** What the info dicts of a torrent say. */
export interface InfoFacts {
  readonly layout: TorrentLayout;
  /** BEP 27: only its own trackers may be asked for peers. */
  readonly isPrivate: boolean;
  /** v1: 20 bytes a piece, over the padding too. */
  readonly sha1s?: Buffer;
}

/** Most files of a torrent. */
export const MAX_FILES = 50_000;
/** Values of the bencoded dicts of that many files. */
export const INFO_LIMITS = { maxItems: 1_000_000, maxDepth: 100 };
const SHA1_BYTES = 20;
const ROOT_BYTES = 32;
/** Shorter pieces than this are of no use to anybody. */
const MIN_FOREIGN_PIECE_BYTES = 1024;

/** A file before its path is made safe and unique; paths of v2 come from the tree. */
type RawFile = Omit<LayoutFile, "path" | "offset"> & { readonly parts: readonly string[]; readonly padding: boolean };

/** The facts of a torrent's info dicts; at least one must be given, a hybrid's is given as both. */
export function parseInfos({ infoV1, infoV2 }: { infoV1?: Uint8Array; infoV2?: Uint8Array }): InfoFacts {
  const v1 = infoV1 && decodeDict(infoV1, INFO_LIMITS);
  const v2 = infoV2 === infoV1 ? v1 : infoV2 && decodeDict(infoV2, INFO_LIMITS);
  const one = v1 ?? v2;
  if (one === undefined) throw bad("torrent has no info");
  const first = v1 && infoV1 && readV1(v1);
  const second = v2 && infoV2 && readV2(v2);
  const layout = first === undefined ? second : second === undefined ? first.layout : merge(first.layout, second);
  return { layout: layout as TorrentLayout, isPrivate: dictInt(one, "private") === 1, sha1s: first?.sha1s };
}

/** Which versions an info dict is of; a hybrid is of both. */
export function infoVersions(info: Uint8Array): { isV1: boolean; isV2: boolean } {
  const dict = decodeDict(info, INFO_LIMITS);
  return { isV1: dict.has("pieces"), isV2: dict.has("file tree") && dictInt(dict, "meta version") === 2 };
}

function readV1(info: BencodeDict): { layout: TorrentLayout; sha1s: Buffer } {
  const list = dictList(info, "files");
  const name = nameOf(info);
  const raw = list === undefined ? [oneFile(info, name)] : list.map(readFile);
  if (raw.length > MAX_FILES) throw bad(`torrent has ${raw.length} files, above the limit of ${MAX_FILES}`);
  const pieceLengthBytes = pieceLengthOf(info, { mayBeOdd: true });
  let lengthBytes = 0;
  const offsets = raw.map((file) => {
    const offset = lengthBytes;
    lengthBytes += file.lengthBytes;
    return offset;
  });
  const layout = makeLayout({ name, raw, offsets, isSingle: list === undefined, lengthBytes, pieceLengthBytes });
  const sha1s = dictBytes(info, "pieces");
  if (sha1s?.length !== layout.geometry.pieceCount * SHA1_BYTES) throw bad("v1 info dict has the wrong number of piece hashes");
  return { layout, sha1s };
}

function oneFile(info: BencodeDict, name: string): RawFile {
  return { ...attributesOf(info), parts: [name], lengthBytes: lengthOf(info), padding: false };
}

function readFile(value: unknown): RawFile {
  if (!(value instanceof Map)) throw bad("torrent has a file that is no dictionary");
  const file = value as BencodeDict;
  const path = dictList(file, "path.utf-8") ?? dictList(file, "path");
  const parts = (path ?? []).map((part) => {
    if (!Buffer.isBuffer(part)) throw bad("torrent has a path that is no text");
    return part.toString("utf8");
  });
  const attributes = attributesOf(file);
  // padding's path is nobody's business: `.pad/123` by BEP 47, `_____padding_file_` of old clients
  const padding = attributes.padding || /^_____padding_file_/.test(parts.at(-1) ?? "");
  return { ...attributes, parts, lengthBytes: lengthOf(file), padding };
}

function readV2(info: BencodeDict): TorrentLayout {
  if (dictInt(info, "meta version") !== 2) throw bad("v2 info dict is of another version");
  const tree = dictDict(info, "file tree");
  if (tree === undefined) throw bad("v2 info dict has no file tree");
  const name = nameOf(info);
  const raw: RawFile[] = [];
  walkTree(tree, [], raw);
  const pieceLengthBytes = pieceLengthOf(info, { mayBeOdd: false });
  const { offsets, endBytes } = alignedOffsets(
    raw.map(({ lengthBytes }) => lengthBytes),
    pieceLengthBytes,
  );
  // one file: its entry in the tree has the torrent's name (BEP 52)
  const isSingle = raw.length === 1 && raw[0].parts.length === 1 && safeName(raw[0].parts[0]) === name;
  return makeLayout({ name, raw, offsets, isSingle, lengthBytes: endBytes, pieceLengthBytes });
}

function walkTree(tree: BencodeDict, folder: readonly string[], found: RawFile[]): void {
  for (const [key, value] of tree) {
    if (!(value instanceof Map)) throw bad("v2 file tree has an entry that is no dictionary");
    const parts = [...folder, Buffer.from(key, "latin1").toString("utf8")];
    const file = dictDict(value, "");
    if (file === undefined) walkTree(value, parts, found);
    else found.push(treeFile(file, parts));
    if (found.length > MAX_FILES) throw bad(`torrent has more files than the limit of ${MAX_FILES}`);
  }
}

function treeFile(file: BencodeDict, parts: readonly string[]): RawFile {
  const lengthBytes = lengthOf(file);
  const piecesRoot = dictBytes(file, "pieces root");
  const attributes = attributesOf(file);
  if (lengthBytes > 0 && piecesRoot?.length !== ROOT_BYTES) throw bad("v2 info dict lacks a pieces root");
  return { ...attributes, padding: false, parts, lengthBytes, ...(lengthBytes > 0 ? { piecesRoot } : {}) };
}

/** BEP 47: `x` executable, `p` padding, `l` symbolic link; `h` (hidden) means nothing here. */
function attributesOf(file: BencodeDict): { executable: boolean; padding: boolean; symlink?: readonly string[] } {
  const letters = dictBytes(file, "attr")?.toString("latin1") ?? "";
  const target = letters.includes("l") ? dictList(file, "symlink path") : undefined;
  const symlink = target?.filter((part) => Buffer.isBuffer(part)).map((part) => part.toString("utf8"));
  return {
    executable: letters.includes("x"),
    padding: letters.includes("p"),
    ...(symlink === undefined ? {} : { symlink: safePath(symlink) }),
  };
}

function makeLayout(input: {
  name: string;
  raw: readonly RawFile[];
  offsets: readonly number[];
  isSingle: boolean;
  lengthBytes: number;
  pieceLengthBytes: number;
}): TorrentLayout {
  const { name, raw, offsets, isSingle, lengthBytes, pieceLengthBytes } = input;
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes / pieceLengthBytes > MAX_PIECE_COUNT)
    throw bad(`torrent has more pieces than the limit of ${MAX_PIECE_COUNT}`);
  const keeper = new PathKeeper();
  const clean = nameCleaner();
  const files: LayoutFile[] = [];
  for (const [index, { parts, padding, ...facts }] of raw.entries()) {
    if (padding) continue;
    if (facts.symlink !== undefined && facts.lengthBytes > 0) throw bad("torrent has a symbolic link with content");
    files.push({ ...facts, path: isSingle ? [name] : keeper.place(safePath(parts, clean)), offset: offsets[index] });
  }
  return { name, files, isSingle, geometry: layoutGeometry(files, { lengthBytes, pieceLengthBytes }) };
}

/** The v1 layout with the v2 roots: twins and hybrids must put the same files at the same places. */
function merge(v1: TorrentLayout, v2: TorrentLayout): TorrentLayout {
  const files = v1.files.map((file, index): LayoutFile => {
    const twin = v2.files[index];
    const sameContent =
      twin !== undefined && twin.lengthBytes === file.lengthBytes && (file.lengthBytes === 0 || twin.offset === file.offset);
    if (!sameContent || twin.path.join("/") !== file.path.join("/")) throw bad("the v1 and v2 halves of the torrent have different files");
    return { ...file, piecesRoot: twin.piecesRoot };
  });
  const same = v2.files.length === files.length && v1.geometry.pieceLengthBytes === v2.geometry.pieceLengthBytes;
  if (!same || v1.geometry.pieceCount !== v2.geometry.pieceCount) throw bad("the v1 and v2 halves of the torrent differ");
  return { ...v1, files };
}

function nameOf(info: BencodeDict): string {
  return safeName(dictString(info, "name.utf-8") ?? dictString(info, "name") ?? "");
}

function lengthOf(file: BencodeDict): number {
  const lengthBytes = dictInt(file, "length") ?? (file.has("symlink path") ? 0 : -1);
  if (lengthBytes < 0) throw bad(`torrent has a file of the impossible length ${lengthBytes}`);
  return lengthBytes;
}

/** v1 allows any length; v2 powers of two from one block on. */
function pieceLengthOf(info: BencodeDict, { mayBeOdd }: { mayBeOdd: boolean }): number {
  const bytes = dictInt(info, "piece length") ?? 0;
  const least = mayBeOdd ? MIN_FOREIGN_PIECE_BYTES : BLOCK_BYTES;
  if (bytes < least || bytes > MAX_PIECE_BYTES || (!mayBeOdd && (bytes & (bytes - 1)) !== 0))
    throw bad(`torrent has the impossible piece length ${bytes}`);
  return bytes;
}

function bad(message: string): SkimmerError {
  return new SkimmerError("protocol", message);
}
