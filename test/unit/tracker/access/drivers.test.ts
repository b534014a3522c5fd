import { EventEmitter } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import type { Server } from "node:net";
import { join } from "node:path";
import test from "ava";
import { silentLogger } from "../../../../system/logger.ts";
import { AuditLog } from "../../../../tracker/access/audit-log.ts";
import { limitConnections } from "../../../../tracker/access/connection-limits.ts";
import { addToken, readTokens, removeToken, TokenStore } from "../../../../tracker/access/token-store.ts";
import { temporaryFolder } from "../../../support/folders.ts";

const entry = (what: string) => ({ at: "2026-01-01T00:00:00.000Z", who: "x", address: "10.0.0.1", what, outcome: 204 });

test("addToken() writes hashes only, for the owner only, and keeps the file's comments", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "tokens.yaml");
  const first = await addToken(path, { name: "hosts", scopes: ["download"] });
  await writeFile(path, `# who is who\n${await readFile(path, "utf8")}`);
  const second = await addToken(path, { name: "ci", scopes: ["preheat", "read"], expires: "2030-01-01T00:00:00.000Z" });
  const text = await readFile(path, "utf8");
  t.true(text.startsWith("# who is who\n"));
  for (const token of [first, second]) t.regex(token, /^skm_[\w-]{43}$/);
  t.false(text.includes(first) || text.includes(second));
  t.is((await stat(path)).mode & 0o777, 0o600);
  const rows = (await readTokens(path)).map(({ name, scopes, expiresMs }) => ({ name, scopes, expiresMs }));
  t.deepEqual(rows, [
    { name: "hosts", scopes: ["download"], expiresMs: undefined },
    { name: "ci", scopes: ["preheat", "read"], expiresMs: Date.parse("2030-01-01") },
  ]);
  await t.throwsAsync(addToken(path, { name: "ci", scopes: ["read"] }), { message: /"ci" in .* already/ });
  t.true(await removeToken(path, "hosts"));
  t.false(await removeToken(path, "hosts"));
  t.deepEqual(
    (await readTokens(path)).map(({ name }) => name),
    ["ci"],
  );
});

test("TokenStore.entries() follows the file, and keeps the last good list when it breaks", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "tokens.yaml");
  let nowMs = 0;
  const names = async () => {
    nowMs += 1001;
    return (await store.entries()).map(({ name }) => name);
  };
  const store = await TokenStore.open({ path, fixed: [], clock: { nowMs: () => nowMs }, logger: silentLogger });
  t.deepEqual(await names(), []);
  await addToken(path, { name: "a", scopes: ["read"] });
  t.deepEqual(await names(), ["a"]);
  await writeFile(path, "tokens: [{name: broken}]\n");
  t.deepEqual(await names(), ["a"]);
  await writeFile(path, "tokens: []\n# nobody\n");
  t.deepEqual(await names(), []);
});

test("TokenStore.open() fails for a file that cannot be read as tokens", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "tokens.yaml");
  for (const text of ["tokens: {a: b}\n", "tokens: [\n", "[]\n"]) {
    await writeFile(path, text);
    const opened = TokenStore.open({ path, fixed: [], clock: { nowMs: () => 0 }, logger: silentLogger });
    await t.throwsAsync(opened, { name: "SkimmerError", message: /tokens/ }, text);
  }
});

test("AuditLog keeps lines in order, answers the latest first, and passes a cut line over", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "audit.jsonl");
  await writeFile(path, '{"at":"cut of');
  await writeFile(path, "\n", { flag: "a" });
  await using log = new AuditLog({ path, logger: silentLogger });
  for (let index = 0; index < 100; index++) log.note(entry(`change ${index}`));
  t.deepEqual(
    (await log.latest(3)).map(({ what }) => what),
    ["change 99", "change 98", "change 97"],
  );
  t.is((await log.latest(1000)).length, 100);
  t.is((await stat(path)).mode & 0o077 & 0o022, 0);
});

test("AuditLog sets a long file aside and keeps three of them", async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "audit.jsonl");
  for (let round = 0; round < 6; round++) {
    await writeFile(path, `${" ".repeat(8 * 1024 * 1024)}\n${JSON.stringify(entry(`round ${round}`))}\n`);
    await using log = new AuditLog({ path, logger: silentLogger });
    log.note(entry(`after ${round}`));
    t.deepEqual(
      (await log.latest(2)).map(({ what }) => what),
      [`after ${round}`, `round ${round}`],
    );
  }
  for (const number of [1, 2, 3]) t.true((await stat(`${path}.${number}`)).isFile());
  await t.throwsAsync(stat(`${path}.4`));
});

test("limitConnections() ends what one address opens beyond its share, and counts what was closed no more", (t) => {
  const server = new EventEmitter();
  const counts = new Map<string, number>();
  limitConnections(server as Server, { most: 2, counts });
  const open = (remoteAddress: string) => {
    const socket = Object.assign(new EventEmitter(), { remoteAddress, destroyed: false, destroy: () => void (socket.destroyed = true) });
    server.emit("connection", socket);
    return socket;
  };
  const [first, second, third] = ["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.1"].map(open);
  t.deepEqual([first.destroyed, second.destroyed, third.destroyed], [false, false, true]);
  third.emit("close");
  first.emit("close");
  t.false(open("10.0.0.1").destroyed);
  t.false(open("10.0.0.2").destroyed);
  for (let count = 0; count < 10; count++) t.false(open("127.0.0.1").destroyed);
  t.is(counts.size, 2);
  t.true(["2001:db8::1", "2001:db8::2", "2001:db8::3"].map(open)[2].destroyed, "one /64");
});

test("AuditLog without a path keeps nothing", async (t) => {
  await using log = new AuditLog({ path: undefined, logger: silentLogger });
  log.note(entry("x"));
  t.deepEqual(await log.latest(10), []);
});
