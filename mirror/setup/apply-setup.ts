/**
 * Writes an engine's configuration, keeps what was there, and puts it back. Drives files.
 *
 * What was there first is written down before anything changes (ROOT/var/lib/skimmer/setup-ENGINE.json), and as a copy beside
 * each file (`.before-skimmer`). Invariant: undo touches only files that are still as they were written here.
 */

import { hash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createTwoFilesPatch } from "diff";
import { SkimmerError } from "../../system/errors.ts";
import type { FileText, ReadText } from "./setup-plan.ts";

interface SavedFile {
  readonly path: string;
  /** Before the first set-up; null: it was not there. */
  readonly before: string | null;
  /** SHA-256 of what was written. */
  readonly written: string;
}

/** One engine's configuration below a root folder. */
export class EngineFiles {
  readonly #root: string;
  readonly #record: string;

  constructor(options: { root: string; engine: string }) {
    this.#root = options.root;
    this.#record = this.#at(`/var/lib/skimmer/setup-${options.engine}.json`);
  }

  readonly read: ReadText = (path) => {
    const full = this.#at(path);
    try {
      return existsSync(full) ? readFileSync(full, "utf8") : undefined;
    } catch (cause) {
      throw unwritable(full, cause);
    }
  };

  /** What would change, as a unified diff; empty where nothing would. */
  diff(files: readonly FileText[]): string {
    return files.map(({ path, text }) => patch(path, this.read(path), text)).join("");
  }

  /** Rejects with SkimmerError `output_unwritable`. */
  async apply(files: readonly FileText[]): Promise<void> {
    const saved = new Map(this.#saved().map((file) => [file.path, file]));
    for (const { path, text } of files) {
      const before = saved.get(path)?.before ?? this.read(path) ?? null;
      saved.set(path, { path, before, written: digest(text) });
    }
    await this.#write(this.#record, `${JSON.stringify({ files: [...saved.values()] }, undefined, 2)}\n`, 0o600);
    for (const { path, text } of files) {
      const full = this.#at(path);
      const before = this.read(path);
      const copy = `${full}.before-skimmer`;
      if (before !== undefined && !existsSync(copy)) await this.#write(copy, before, await modeOf(full));
      await this.#write(full, text, await modeOf(full));
    }
  }

  /** What undo() would change. Throws SkimmerError `not_found` where nothing was set up here. */
  undoDiff(): string {
    return this.#restorable()
      .map(({ path, before }) => patch(path, this.read(path), before ?? undefined))
      .join("");
  }

  /** Puts back what was there. Rejects with SkimmerError `not_found`, `output_unwritable` where a file was changed since, unless forced. */
  async undo(options: { force: boolean }): Promise<void> {
    const files = this.#restorable();
    const changed = files.filter(({ path, written }) => this.read(path) !== undefined && digest(this.read(path) as string) !== written);
    if (changed.length > 0 && !options.force)
      throw new SkimmerError(
        "output_unwritable",
        `${changed.map(({ path }) => path).join(", ")} was changed since dfdaemon setup wrote it`,
        {
          hint: "Take the mirror out by hand, or give --force to put back what was there before.",
        },
      );
    for (const { path, before } of files) {
      const full = this.#at(path);
      if (before === null) await this.#remove(full);
      else await this.#write(full, before, await modeOf(full));
      await this.#remove(`${full}.before-skimmer`);
    }
    await this.#remove(this.#record);
  }

  #restorable(): SavedFile[] {
    const saved = this.#saved();
    if (saved.length === 0)
      throw new SkimmerError("not_found", "nothing was set up here", { hint: "dfdaemon setup ENGINE without --undo does it." });
    return saved;
  }

  #saved(): SavedFile[] {
    if (!existsSync(this.#record)) return [];
    try {
      const { files } = JSON.parse(readFileSync(this.#record, "utf8")) as { files?: unknown };
      const list = Array.isArray(files) ? (files as SavedFile[]) : [];
      return list.filter(({ path, before }) => typeof path === "string" && (before === null || typeof before === "string"));
    } catch (cause) {
      throw new SkimmerError("internal", `cannot read ${this.#record}: ${(cause as Error).message}`, { cause });
    }
  }

  #at(path: string): string {
    return join(this.#root, path);
  }

  async #write(path: string, text: string, mode: number): Promise<void> {
    try {
      await mkdir(dirname(path), { recursive: true });
      const part = `${path}.skimmer-new`;
      await writeFile(part, text, { mode });
      // the umask must not make an engine's configuration unreadable to it
      await chmod(part, mode);
      await rename(part, path);
    } catch (cause) {
      throw unwritable(path, cause);
    }
  }

  async #remove(path: string): Promise<void> {
    await rm(path, { force: true }).catch((cause: unknown) => Promise.reject(unwritable(path, cause)));
  }
}

async function modeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? 0o644 : found.mode & 0o777;
}

function patch(path: string, before: string | undefined, after: string | undefined): string {
  if (before === after) return "";
  const names = [before === undefined ? "/dev/null" : path, after === undefined ? "/dev/null" : path] as const;
  return createTwoFilesPatch(names[0], names[1], before ?? "", after ?? "", "", "", { context: 3 })
    .replace(/^Index: .*\n/, "")
    .replace(/^=+\n/, "");
}

function digest(text: string): string {
  return hash("sha256", text, "hex");
}

function unwritable(path: string, cause: unknown): SkimmerError {
  const denied = ["EACCES", "EPERM"].includes((cause as NodeJS.ErrnoException).code ?? "");
  return new SkimmerError("output_unwritable", `cannot write ${path}: ${(cause as Error).message}`, {
    hint: denied ? "Run it as root: sudo dfdaemon setup …" : undefined,
    cause,
  });
}
