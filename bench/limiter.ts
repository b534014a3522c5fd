/**
 * Whether a limit of 50 MB/s holds over 10 s, up and down, for one task and for several at once; between two engines in this process.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openEngine } from "../peer/engine/engine.ts";
import type { Engine, Torrent } from "../peer/engine/types.ts";
import { silentLogger } from "../system/logger.ts";
import { temporaryFolder } from "../test/support/folders.ts";
import { decodeDict, dictDict, encode } from "../torrents/bencode.ts";
import { parseInfoV1 } from "../torrents/final-torrents.ts";
import { makePeerId } from "../torrents/peer-id.ts";
import type { Content } from "./contenders/contender.ts";
import { fillFrom } from "./contenders/fill-from.ts";
import { makeContent } from "./content.ts";
import type { Result, Row, Target } from "./report.ts";

const RATE = 50_000_000;
const SECONDS = 10;
const SETTLE_MS = 1000;
const MOST_OFF_PERCENT = 3;
const MIB = 1024 * 1024;
const TASKS = 4;

interface Setting {
  readonly name: string;
  readonly tasks: number;
  readonly up: number;
  readonly down: number;
}

const SETTINGS: readonly Setting[] = [
  { name: "upload, one task", tasks: 1, up: RATE, down: 0 },
  { name: "download, one task", tasks: 1, up: 0, down: RATE },
  { name: `upload, ${TASKS} tasks`, tasks: TASKS, up: RATE, down: 0 },
  { name: `download, ${TASKS} tasks`, tasks: TASKS, up: 0, down: RATE },
];

/** One look of 10 s for each setting: `runs` is not used. */
export async function benchLimiter(): Promise<Result> {
  await using folder = await temporaryFolder();
  const contents: Content[] = [];
  for (let task = 0; task < TASKS; task++) {
    const at = join(folder.path, String(task));
    await mkdir(at);
    contents.push(await makeContent(at, (task === 0 ? 700 : 280) * MIB));
  }
  const rows: Row[] = [];
  const targets: Target[] = [];
  for (const [index, setting] of SETTINGS.entries()) {
    const rate = await measure(join(folder.path, `run${index}`), contents.slice(0, setting.tasks), setting);
    const offPercent = Math.abs(rate / RATE - 1) * 100;
    rows.push({ name: setting.name, seconds: [SECONDS], note: `${(rate / 1e6).toFixed(2)} MB/s` });
    targets.push({ what: `${setting.name}: off by`, found: offPercent, limit: MOST_OFF_PERCENT, unit: "%", want: "most" });
  }
  return { bench: "limiter", title: `limiter: ${RATE / 1e6} MB/s over ${SECONDS} s`, rows, targets };
}

async function measure(folder: string, contents: readonly Content[], setting: Setting): Promise<number> {
  await using seed = await engineWith({ up: setting.up, down: 0 });
  await using leech = await engineWith({ up: 0, down: setting.down });
  const received: Torrent[] = [];
  for (const content of contents) {
    const given = await addTo(seed, content, join(content.folder, "seed"));
    await fillFrom(given, join(content.folder, content.name));
    const wanted = await addTo(leech, content, join(folder, content.sha256));
    received.push(wanted);
    wanted.download(true);
    wanted.addPeers([seed.address]);
    await once(wanted, "piece");
  }
  await sleep(SETTLE_MS);
  const bytes = (): number => received.reduce((sum, { stats }) => sum + stats.bytesHave, 0);
  const startBytes = bytes();
  const startMs = performance.now();
  await sleep(SECONDS * 1000);
  const rate = (bytes() - startBytes) / ((performance.now() - startMs) / 1000);
  if (received.some((torrent) => torrent.complete)) throw new Error("a download ended before its time: the limit does not hold at all");
  return rate;
}

function engineWith(limits: { up: number; down: number }): Promise<Engine> {
  return openEngine({
    listen: { host: "127.0.0.1", port: 0 },
    role: "peer",
    peerId: makePeerId("peer", randomBytes(20)),
    uploadBytesPerSecond: limits.up,
    downloadBytesPerSecond: limits.down,
    logger: silentLogger,
  });
}

async function addTo(engine: Engine, content: Content, directory: string): Promise<Torrent> {
  const info = dictDict(decodeDict(await readFile(content.torrentPath)), "info");
  if (info === undefined) throw new Error(`${content.torrentPath} has no info`);
  const infoV1 = encode(info);
  const { name, geometry } = parseInfoV1(infoV1);
  return engine.add({ directory, name, geometry, infoV1 });
}
