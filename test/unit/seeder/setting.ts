/** A seeder in the test's own process: real engine, real files, scripted origin; its origin can be held back and counted. */
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { openHttpOrigin } from "../../../origin/http-origin.ts";
import type { Origin } from "../../../origin/types.ts";
import { openEngine } from "../../../peer/engine/engine.ts";
import type { Engine } from "../../../peer/engine/types.ts";
import { Seeder, type SeederOptions } from "../../../seeder/seeder.ts";
import { silentLogger } from "../../../system/logger.ts";
import { generateClusterKey } from "../../../torrents/cluster-key.ts";
import type { TaskId } from "../../../torrents/ids.ts";
import { makePeerId } from "../../../torrents/peer-id.ts";
import type { SeederTask as TaskShape } from "../../../torrents/seeder-link.ts";

export const KEY = generateClusterKey();
export const SALT = Buffer.alloc(32, 7);
export const MIB = 1024 * 1024;
const WAIT_MS = 20_000;

/** Resolves when so many bytes of the origin may be taken; undefined: at once. */
type Throttle = (bytes: number) => Promise<void> | undefined;
export type SettingOptions = Partial<SeederOptions> & { readonly throttle?: Throttle };

export class SeederSetting implements AsyncDisposable {
  readonly seeder: Seeder;
  /** The latest news of each task; undefined: it is gone. */
  readonly news = new Map<TaskId, TaskShape | undefined>();
  readonly engine: Engine;
  readonly #close: () => Promise<void>;
  readonly #waiting = new Set<() => void>();

  private constructor(engine: Engine, seeder: (onChange: SeederOptions["onChange"]) => Seeder, close: () => Promise<void>) {
    this.engine = engine;
    this.#close = close;
    this.seeder = seeder((id, shape) => {
      this.news.set(id, shape);
      for (const look of this.#waiting) look();
    });
  }

  /** `data` may be a folder that another seeder left. Tasks of the last run are restored. */
  static async start(data: string, { throttle, ...options }: SettingOptions = {}): Promise<SeederSetting> {
    await mkdir(data, { recursive: true });
    const peerId = makePeerId("seeder", randomBytes(20));
    const listen = { host: "127.0.0.1", port: 0 };
    const limits = { uploadBytesPerSecond: 0, downloadBytesPerSecond: 0 };
    const engine = await openEngine({ listen, role: "seeder", peerId, ...limits, logger: silentLogger });
    const origin = openHttpOrigin({ stallTimeoutMs: 2000 });
    const held = throttle === undefined ? origin : throttledOrigin(origin, throttle);
    const common = { engine, origin: held, key: KEY, salt: SALT, data, logger: silentLogger };
    const setting = new SeederSetting(
      engine,
      (onChange) => new Seeder({ ...common, ...options, onChange }),
      async () => {
        await setting.seeder.close();
        await origin.close();
        await engine[Symbol.asyncDispose]();
      },
    );
    await setting.seeder.restore();
    return setting;
  }

  /** The task as the seeder sees it now. */
  shape(id: TaskId): TaskShape | undefined {
    return this.seeder.shapes.find((shape) => shape.id === id);
  }

  /** Resolves when the task is in that state; already being there counts. */
  async reaches(id: TaskId, state: TaskShape["state"]): Promise<TaskShape> {
    const { promise, resolve, reject } = Promise.withResolvers<TaskShape>();
    const look = (): void => {
      const shape = this.shape(id);
      if (shape?.state === state) resolve(shape);
    };
    const timer = setTimeout(() => reject(new Error(`task is ${JSON.stringify(this.shape(id))}, not ${state}`)), WAIT_MS);
    this.#waiting.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

function throttledOrigin(origin: Origin, throttle: Throttle): Origin {
  return {
    probe: (request, options) => origin.probe(request, options),
    read: (request, range, sink, options) => {
      const held = async (chunk: Buffer): Promise<void> => {
        await throttle(chunk.length);
        await sink(chunk);
      };
      return origin.read(request, range, held, options);
    },
    close: () => origin.close(),
  };
}

/** A throttle that lets so many bytes pass, then holds everything until it is opened. */
export function gate(bytes = 0): { throttle: Throttle; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = bytes;
  let held = true;
  return {
    throttle: (count) => {
      left -= count;
      return held && left < 0 ? promise : undefined;
    },
    open: () => {
      held = false;
      resolve();
    },
  };
}
