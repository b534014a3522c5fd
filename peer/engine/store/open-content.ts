/**
 * Which store a torrent's bytes are in: one file of ours, several files of ours, or files of somebody else where they are. Drives.
 */
import { join } from "node:path";
import type { TorrentSpec } from "../types.ts";
import type { ContentStore } from "./content-store.ts";
import { DataFile } from "./data-file.ts";
import { FileSet } from "./file-set.ts";

type ContentPlace = Pick<TorrentSpec, "directory" | "geometry" | "layout" | "inPlace">;

/** The torrent's files, which are somebody else's where they are shared in place. `fresh`: nothing in them can be trusted. */
export async function openContent({ directory, geometry, layout, inPlace }: ContentPlace): Promise<{ data: ContentStore; fresh: boolean }> {
  if (inPlace === undefined && (layout === undefined || layout.isSingle))
    return DataFile.open(join(directory, "data"), geometry.lengthBytes);
  const files = (layout?.files ?? []).map(({ path, offset, lengthBytes }, index) => {
    const own = join(directory, "files", String(index));
    return { path: inPlace === undefined ? own : layout?.isSingle === true ? inPlace : join(inPlace, ...path), offset, lengthBytes };
  });
  const path = inPlace ?? join(directory, "files");
  return { data: await FileSet.open(files, { path, inPlace: inPlace !== undefined }), fresh: false };
}
