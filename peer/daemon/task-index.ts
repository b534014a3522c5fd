/**
 * The host's tasks on disk: one folder each under HOME/tasks, named by info hash, with `task.json` beside the engine's
 * files. Drives. Knows nothing of running downloads.
 *
 * Folders without a readable `task.json`, and volatile ones of an earlier life, are removed when the index is opened.
 */
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasValidators, isSameContent } from "../../origin/same-content.ts";
import { replaceFile } from "../../system/replace-file.ts";
import { decodeDict, dictBytes, encode } from "../../torrents/bencode.ts";
import { type InfoHash, parseInfoHash } from "../../torrents/ids.ts";
import type { Validators } from "../../torrents/task-api.ts";
import { type LinkedFile, parseTaskEntry, type TaskEntry } from "./task-entry.ts";
import type { TorrentInfos } from "./torrent-source.ts";

const FILE = "task.json";
const INFOS_FILE = "infos";
const READ_AT_ONCE = 16;

export class TaskIndex {
  readonly #folder: string;
  readonly #entries = new Map<InfoHash, TaskEntry>();
  /** The write in progress of each task, so that writes of one file never overlap. */
  readonly #writes = new Map<InfoHash, Promise<void>>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<TaskIndex> {
    const index = new TaskIndex(folder);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = await readdir(folder);
    for (let at = 0; at < names.length; at += READ_AT_ONCE)
      await Promise.all(names.slice(at, at + READ_AT_ONCE).map((name) => index.#load(name)));
    return index;
  }

  directory(infoHash: InfoHash): string {
    return join(this.#folder, infoHash);
  }

  get(infoHash: InfoHash): TaskEntry | undefined {
    return this.#entries.get(infoHash);
  }

  list(): TaskEntry[] {
    return [...this.#entries.values()].sort((a, b) => b.lastUsedAtMs - a.lastUsedAtMs);
  }

  /** A stored task known under any of these hashes. */
  findByHashes(hashes: readonly (InfoHash | undefined)[]): TaskEntry | undefined {
    const wanted = new Set(hashes.filter((hash) => hash !== undefined));
    for (const hash of wanted) if (this.#entries.has(hash)) return this.#entries.get(hash);
    return this.list().find((entry) => [entry.infoHashV1, entry.infoHashV2].some((hash) => hash !== undefined && wanted.has(hash)));
  }

  /** The fullest stored task that was asked for in the same words and whose validators still hold. */
  findSame(input: { originKey: string; validators: Validators; lengthBytes: number }): TaskEntry | undefined {
    if (!hasValidators(input.validators)) return undefined;
    const same = this.list().filter(
      (entry) => !entry.volatile && entry.originKey === input.originKey && hasValidators(entry.validators) && isSameContent(entry, input),
    );
    return same.find((entry) => entry.complete) ?? same[0];
  }

  /** Adds or replaces; resolves when it is on disk. */
  async save(entry: TaskEntry): Promise<void> {
    this.#entries.set(entry.infoHash, entry);
    const earlier = this.#writes.get(entry.infoHash);
    const write = (earlier ?? Promise.resolve()).catch(() => undefined).then(() => this.#write(entry));
    this.#writes.set(entry.infoHash, write);
    try {
      await write;
    } finally {
      if (this.#writes.get(entry.infoHash) === write) this.#writes.delete(entry.infoHash);
    }
  }

  /** Keeps the info dicts of a torrent that has no live one. */
  async saveInfos(infoHash: InfoHash, infos: TorrentInfos): Promise<void> {
    const path = join(this.directory(infoHash), INFOS_FILE);
    await replaceFile(path, encode({ v1: infos.infoV1, v2: infos.infoV2, layer: infos.pieceLayer }));
  }

  /** What saveInfos() kept. Rejects with SkimmerError `protocol` or the system's error. */
  async readInfos(infoHash: InfoHash): Promise<TorrentInfos> {
    const dict = decodeDict(await readFile(join(this.directory(infoHash), INFOS_FILE)));
    return { infoV1: dictBytes(dict, "v1"), infoV2: dictBytes(dict, "v2"), pieceLayer: dictBytes(dict, "layer") };
  }

  /** Changes some fields of a task that is still there. */
  async update(infoHash: InfoHash, change: Partial<Omit<TaskEntry, "infoHash">>): Promise<void> {
    const entry = this.#entries.get(infoHash);
    if (entry !== undefined) await this.save({ ...entry, ...change });
  }

  /** Forgets the task and removes its folder. A second name of the data file (an output) keeps its content. */
  async remove(infoHash: InfoHash): Promise<void> {
    this.#entries.delete(infoHash);
    await this.#writes.get(infoHash)?.catch(() => undefined);
    await rm(this.directory(infoHash), { recursive: true, force: true });
  }

  async #load(name: string): Promise<void> {
    if (parseInfoHash(name) !== name) return;
    try {
      const entry = parseTaskEntry(await readFile(join(this.#folder, name, FILE), "utf8"));
      if (entry.infoHash === name && !entry.volatile) {
        this.#entries.set(entry.infoHash, entry);
        return;
      }
    } catch {
      // not readable as a task: removed below
    }
    await rm(join(this.#folder, name), { recursive: true, force: true });
  }

  async #write(entry: TaskEntry): Promise<void> {
    if (!this.#entries.has(entry.infoHash)) return;
    await replaceFile(join(this.directory(entry.infoHash), FILE), JSON.stringify(entry));
  }
}

/** True where the files that are outputs too, or are shared where they are, are still as they were. */
export async function isLinkIntact(entry: TaskEntry): Promise<boolean> {
  return areIntact([...(entry.linked === undefined ? [] : [entry.linked]), ...(entry.watched ?? [])]);
}

/** Files that are looked at at the same time. */
const LOOKS_AT_ONCE = 64;

/** True where all of these files are as they were noted. */
export async function areIntact(files: readonly LinkedFile[]): Promise<boolean> {
  for (let at = 0; at < files.length; at += LOOKS_AT_ONCE) {
    const intact = await Promise.all(files.slice(at, at + LOOKS_AT_ONCE).map(isIntact));
    if (intact.includes(false)) return false;
  }
  return true;
}

async function isIntact(file: LinkedFile): Promise<boolean> {
  const found = await stat(file.path, { bigint: true }).catch(() => undefined);
  return found !== undefined && String(found.mtimeNs) === file.mtimeNs && Number(found.size) === file.lengthBytes;
}

/** The data file as it is now, before it gets a second name. */
export async function linkedFileOf(path: string): Promise<LinkedFile> {
  const found = await stat(path, { bigint: true });
  return { path, mtimeNs: String(found.mtimeNs), lengthBytes: Number(found.size) };
}
