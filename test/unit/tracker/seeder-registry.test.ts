/** Links of seeders that come and go at any moment. */
import { randomBytes, sign } from "node:crypto";
import { EventEmitter } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import test from "ava";
import type { WebSocket } from "ws";
import { realClock } from "../../../system/clock.ts";
import { silentLogger } from "../../../system/logger.ts";
import { generateClusterKey, publicKeyBytes } from "../../../torrents/cluster-key.ts";
import { makePeerId } from "../../../torrents/peer-id.ts";
import { LINK_SIGNATURE_CONTEXT, type SeederMessage, type SupernodeMessage } from "../../../torrents/seeder-link.ts";
import { SeederRegistry } from "../../../tracker/seeder-registry.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { until } from "../../support/processes.ts";

/** A seeder's end of a link, in memory. */
class FakeSeeder extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  readonly peerId = makePeerId("seeder", randomBytes(20));
  readonly heard: SupernodeMessage[] = [];

  send(text: string): void {
    this.heard.push(JSON.parse(text));
  }

  say(message: SeederMessage): void {
    this.emit("message", JSON.stringify(message));
  }

  sayHello(key: ReturnType<typeof generateClusterKey>): void {
    const [challenge] = this.heard;
    const nonce = Buffer.from(challenge.kind === "challenge" ? challenge.nonce : "", "base64");
    const signature = sign(null, Buffer.concat([Buffer.from(LINK_SIGNATURE_CONTEXT), nonce]), key).toString("base64");
    this.say({ kind: "hello", key: publicKeyBytes(key).toString("base64"), signature, peerId: this.peerId, port: 1, version: "1" });
  }

  /** The process was killed. */
  die(): void {
    this.readyState = 3;
    this.emit("close");
  }

  close(): void {
    this.die();
  }
  terminate(): void {
    this.die();
  }
  ping(): void {}
}

/** `limits`: what an earlier run left. */
async function setUp(limits?: string) {
  const folder = await temporaryFolder();
  if (limits !== undefined) await writeFile(join(folder.path, "limits.json"), limits);
  const key = generateClusterKey();
  const registry = await SeederRegistry.open({
    pinPath: join(folder.path, "cluster.pub"),
    limitsPath: join(folder.path, "limits.json"),
    clock: realClock,
    logger: silentLogger,
    events: { onTask: () => undefined, onGone: () => undefined, onSeederGone: () => undefined, onStatus: () => undefined },
  });
  const connect = (): FakeSeeder => {
    const seeder = new FakeSeeder();
    registry.accept(seeder as unknown as WebSocket, { socket: { remoteAddress: "127.0.0.1" } } as unknown as IncomingMessage);
    return seeder;
  };
  /** Linked, and welcomed. */
  const link = async (): Promise<FakeSeeder> => {
    const seeder = connect();
    seeder.sayHello(key);
    await until(() => registry.find(seeder.peerId) !== undefined);
    return seeder;
  };
  const close = async (): Promise<void> => {
    registry.close();
    await folder[Symbol.asyncDispose]();
  };
  return { registry, folder: folder.path, key, connect, link, [Symbol.asyncDispose]: close };
}

test("a seeder that dies while it is being welcomed leaves no link behind", async (t) => {
  await using at = await setUp();
  const dying = at.connect();
  dying.sayHello(at.key);
  dying.die();
  // one that says hello later is welcomed later
  const other = await at.link();
  t.deepEqual(
    at.registry.seeders.map(({ peerId }) => peerId),
    [other.peerId],
  );
});

test("requests to a seeder that dies are refused at once, not after a time limit", async (t) => {
  await using at = await setUp();
  const seeder = await at.link();
  const asked = at.registry.askAll({ kind: "cache" });
  seeder.die();
  t.like(await t.throwsAsync(asked), { code: "no_seeder", retriable: true });
  t.deepEqual(at.registry.seeders, []);
});

test("limits that were changed reach a seeder that links later", async (t) => {
  await using at = await setUp();
  t.deepEqual(await at.registry.setLimits({ uploadBytesPerSecond: 7 }), []);
  const seeder = await at.link();
  t.like(seeder.heard.at(-1), { kind: "limits", set: { uploadBytesPerSecond: 7 } });
});

test("limits that were set in an earlier run hold, and what is added is kept beside them", async (t) => {
  await using at = await setUp('{"uploadBytesPerSecond":7}');
  const seeder = await at.link();
  t.like(seeder.heard.at(-1), { kind: "limits", set: { uploadBytesPerSecond: 7 } });
  void at.registry.setLimits({ originConnectionsPerHost: 3 }).catch(() => undefined);
  const kept = () => readFile(join(at.folder, "limits.json"), "utf8").then((text) => JSON.parse(text) as object);
  await until(async () => Object.keys(await kept()).length === 2);
  t.deepEqual(await kept(), { uploadBytesPerSecond: 7, originConnectionsPerHost: 3 });
});

test("a damaged file of limits sets nothing", async (t) => {
  await using at = await setUp('{"uploadBytesPerSecond":-7}');
  const seeder = await at.link();
  t.false(seeder.heard.some(({ kind }) => kind === "limits"));
});
