/** Where a torrent's files go in real folders: below the output and nowhere else, whatever earlier torrents left there. */
import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { fillFromFiles } from "../../../peer/daemon/fill-from-file.ts";
import { prepareFolder } from "../../../peer/daemon/output-folder.ts";
import { placeFiles } from "../../../peer/daemon/place-files.ts";
import { RealFolders } from "../../../peer/daemon/real-folders.ts";
import { TaskIndex } from "../../../peer/daemon/task-index.ts";
import type { Torrent } from "../../../peer/engine/types.ts";
import { encode } from "../../../torrents/bencode.ts";
import type { InfoHash } from "../../../torrents/ids.ts";
import { parseInfos } from "../../../torrents/parse-info.ts";
import type { TorrentLayout } from "../../../torrents/torrent-layout.ts";
import { temporaryFolder } from "../../support/folders.ts";

const NEVER = new AbortController().signal;
const PIECE = 16_384;
const REFUSED = { code: "output_unwritable", message: /is a symbolic link, and not written through/ };

type Entry = { path: string; content?: string; link?: string };

function layoutOf(entries: readonly Entry[]): TorrentLayout {
  const files = entries.map(({ path, content, link }) => ({
    ...(link === undefined ? {} : { attr: "l", "symlink path": link.split("/") }),
    length: content?.length ?? 0,
    path: path.split("/"),
  }));
  const lengthBytes = entries.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
  const pieces = Buffer.alloc(Math.ceil(lengthBytes / PIECE) * 20);
  return parseInfos({ infoV1: encode({ files, name: "name", "piece length": PIECE, pieces }) }).layout;
}

/** Places a torrent of these entries into `root`; answers what it warned of. */
async function placeInto(home: string, root: string, entries: readonly Entry[]): Promise<string[]> {
  const store = join(home, "store");
  await mkdir(store, { recursive: true });
  const filePaths = entries.map((_, index) => join(store, String(index)));
  for (const [index, { content }] of entries.entries()) await writeFile(filePaths[index], content ?? "");
  const warnings: string[] = [];
  await placeFiles({
    torrent: { infoHash: "ab".repeat(20) as InfoHash, filePaths },
    layout: layoutOf(entries),
    indices: entries.map((_, index) => index),
    root,
    mode: 0o644,
    index: await TaskIndex.open(join(home, "tasks")),
    warn: (message) => warnings.push(message),
    signal: NEVER,
  });
  return warnings;
}

test("three torrents of one name cannot together write outside their folder", async (t) => {
  await using home = await temporaryFolder();
  const root = join(home.path, "downloads", "name");
  await mkdir(root, { recursive: true });
  await mkdir(join(home.path, ".ssh"));
  await placeInto(home.path, root, [
    { path: "t/x", content: "x" },
    { path: "p/q/L", link: "t" },
  ]);
  t.is(await readlink(join(root, "p/q/L")), "../../t");
  await t.throwsAsync(placeInto(home.path, root, [{ path: "p/q/L/s", link: ".ssh" }]), REFUSED);
  t.deepEqual(await readdir(join(root, "t")), ["x"]);
  // the last step alone: the link is there, whoever made it
  await symlink(join(home.path, ".ssh"), join(root, "t", "s"));
  const keys = [{ path: "t/s/authorized_keys", content: "key" }];
  await t.throwsAsync(placeInto(home.path, root, keys), REFUSED);
  await t.throwsAsync(placeInto(home.path, root, [{ path: "t/s/deep/er/file", content: "x" }]), REFUSED);
  await t.throwsAsync(placeInto(home.path, root, [{ path: "t/s/empty" }]), REFUSED);
  t.deepEqual(await readdir(join(home.path, ".ssh")), []);
  // and before anything is downloaded
  const paths = layoutOf(keys).files.map(({ path }) => path);
  await t.throwsAsync(prepareFolder({ outputFolder: join(home.path, "downloads") }, { name: "name", paths }), REFUSED);
});

test("a link in the place of a file is replaced, never written through", async (t) => {
  await using home = await temporaryFolder();
  const root = join(home.path, "name");
  await mkdir(root);
  await writeFile(join(home.path, "secret"), "secret");
  for (const name of ["full", "empty"]) await symlink(join(home.path, "secret"), join(root, name));
  await placeInto(home.path, root, [{ path: "full", content: "new" }, { path: "empty" }]);
  t.is(await readFile(join(home.path, "secret"), "utf8"), "secret");
  t.is(await readFile(join(root, "full"), "utf8"), "new");
  t.true((await lstat(join(root, "empty"))).isFile());
});

test("the output itself may be a link of the user's, and links of a torrent stay in it", async (t) => {
  await using home = await temporaryFolder();
  await mkdir(join(home.path, "big disk", "name"), { recursive: true });
  await symlink(join(home.path, "big disk"), join(home.path, "downloads"));
  const entries = [
    { path: "a/b/file", content: "x" },
    { path: "a/c/link", link: "a/b/file" },
  ];
  const wanted = { name: "name", paths: layoutOf(entries).files.map(({ path }) => path) };
  const root = await prepareFolder({ outputFolder: join(home.path, "downloads") }, wanted);
  t.is(root, join(home.path, "downloads", "name"));
  t.deepEqual(await placeInto(home.path, root as string, entries), []);
  t.deepEqual(await placeInto(home.path, root as string, entries), [], "again: all is there");
  t.is(await readFile(join(home.path, "big disk/name/a/c/link"), "utf8"), "x");
});

test("a file where a folder is wanted is refused by name", async (t) => {
  await using home = await temporaryFolder();
  await writeFile(join(home.path, "a"), "");
  await t.throwsAsync(new RealFolders(home.path).make(["a", "b"]), { code: "output_unwritable", message: /a: it is no folder/ });
});

test("folders are made once, also by two torrents at the same time", async (t) => {
  await using home = await temporaryFolder();
  const path = ["a", "b", "c", "file"];
  const made = await Promise.all([1, 2, 3].map(() => new RealFolders(home.path).make(path)));
  t.deepEqual(new Set(made), new Set([join(home.path, "a", "b", "c")]));
  t.true((await lstat(made[0])).isDirectory());
});

test("fillFromFiles() reads what is in the folder, and nothing behind a link", async (t) => {
  await using home = await temporaryFolder();
  const root = join(home.path, "name");
  await mkdir(join(root, "real"), { recursive: true });
  await mkdir(join(home.path, "outside"));
  const content = "c".repeat(PIECE);
  for (const path of ["name/real/file", "outside/file", "outside/leaf"]) await writeFile(join(home.path, path), content);
  await symlink(join(home.path, "outside"), join(root, "linked"));
  await symlink(join(home.path, "outside/leaf"), join(root, "leaf"));
  const layout = layoutOf(["real/file", "linked/file", "leaf"].map((path) => ({ path, content })));
  const delivered: number[] = [];
  const torrent = {
    geometry: layout.geometry,
    has: () => false,
    acquire: async (index: number) => ({ index, bytes: Buffer.alloc(PIECE), release: () => undefined }),
    deliver: async ({ index }: { index: number }) => {
      delivered.push(index);
      return { kind: "stored" };
    },
  };
  t.is(await fillFromFiles(torrent as unknown as Torrent, { layout, root, signal: NEVER }), PIECE);
  t.deepEqual(delivered, [0]);
});
