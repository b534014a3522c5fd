/**
 * Private content at every door: who the origin does not accept gets neither bytes, nor peers, nor metadata, nor a hash.
 */
import { randomBytes } from "node:crypto";
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import test from "ava";
import { encodeHandshake } from "../../peer/engine/wire/handshake.ts";
import { parseHostPort } from "../../system/addresses.ts";
import { infoHashV1, infoHashV2, parseInfoV1, parseInfoV2 } from "../../torrents/final-torrents.ts";
import type { InfoHash } from "../../torrents/ids.ts";
import { makePeerId } from "../../torrents/peer-id.ts";
import { callApi } from "../support/api.ts";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { startCommand, until } from "../support/processes.ts";
import { ScriptedOrigin, seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;
/** Where the stranger claims to listen. */
const OUR_PORT = 6001;
const ALICE = "Bearer alice";
const bytesOf = (hash: string): string => hash.replace(/../g, "%$&");

/** An origin with one content at a public and at a private address, and a cluster that has both. */
async function setUp() {
  const origin = await ScriptedOrigin.start();
  const content = seededBytes(51, 3 * MIB);
  const open = origin.add("/dir/file.bin", content);
  const closed = origin.add("/private/file.bin", content, { authorization: ALICE });
  const cluster = await Cluster.start({ supernodeArgs: ["--no-seeder"], daemons: 0 });
  const [host] = [await cluster.startDaemon("h0"), await cluster.startDaemon("h1")];
  const args = ["--supernode", cluster.url, "--listen", "127.0.0.1:0", "--data", cluster.home("seeder"), "--log-level", "error"];
  const seeder = cluster.use(await startCommand({ command: "seeder", args }));
  const post = (url: string, headers: Record<string, string> = {}) => callApi(`${cluster.url}/api/v1/tasks`, { body: { url, headers } });
  return {
    origin,
    cluster,
    seeder,
    host,
    open,
    closed,
    post,
    api: (path: string, method = "GET") => callApi(cluster.url + path, { method }),
    /** Registers until the task is final. */
    async final(url: string, headers: Record<string, string> = {}) {
      let { body } = await post(url, headers);
      await until(async () => {
        body = (await post(url, headers)).body;
        return body.state === "final";
      });
      return body;
    },
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
    },
  };
}

/** Whether the peer port answers a handshake for that hash. */
async function shakesHands(port: number, infoHash: string): Promise<boolean> {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(encodeHandshake({ infoHash: infoHash as InfoHash, peerId: makePeerId("peer", randomBytes(20)) }));
  let answer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    answer = Buffer.concat([answer, chunk]);
    if (answer.length >= 68) socket.destroy();
  });
  await once(socket, "close", { signal: AbortSignal.timeout(5000) });
  return answer.includes(Buffer.from(infoHash, "hex"));
}

/** The peers that the UDP tracker names, by port. */
async function announceUdp(port: number, infoHash: string): Promise<number[]> {
  const socket = dgram.createSocket("udp4");
  try {
    const ask = async (request: Buffer): Promise<Buffer> => {
      socket.send(request, port, "127.0.0.1");
      const [answer] = await once(socket, "message", { signal: AbortSignal.timeout(5000) });
      return answer;
    };
    const connect = Buffer.alloc(16);
    connect.writeBigUInt64BE(0x41727101980n, 0);
    connect.writeUInt32BE(7, 12);
    const connected = await ask(connect);
    const announce = Buffer.alloc(98);
    connected.copy(announce, 0, 8, 16);
    announce.writeUInt32BE(1, 8);
    announce.writeUInt32BE(8, 12);
    announce.write(infoHash, 16, "hex");
    randomBytes(20).copy(announce, 36);
    announce.writeBigUInt64BE(1n, 64);
    announce.writeInt32BE(-1, 92);
    announce.writeUInt16BE(OUR_PORT, 96);
    const answer = await ask(announce);
    const ports: number[] = [];
    const isAnnounce = answer.readUInt32BE(0) === 1;
    for (let entry = 20; isAnnounce && entry + 6 <= answer.length; entry += 6) ports.push(answer.readUInt16BE(entry + 4));
    return ports;
  } finally {
    socket.close();
  }
}

test("who the origin refuses gets nothing of a private task, at any door", async (t) => {
  await using at = await setUp();
  const secret = await at.final(at.closed.url, { authorization: ALICE });
  t.is((await at.cluster.dfget("h0", at.closed.url, ["--header", `Authorization: ${ALICE}`])).status, "ok");
  const hidden = [secret.id, secret.infoHash, secret.infoHashV1, secret.infoHashV2, secret.liveInfo];
  const hides = (what: string, value: unknown): void => {
    const text = JSON.stringify(value);
    for (const each of hidden) t.false(text.includes(each), `${what}: ${text.slice(0, 300)}`);
  };

  for (const headers of [{}, { authorization: "Bearer mallory" }, { cookie: "alice" }] as Record<string, string>[]) {
    const refused = await at.post(at.closed.url, headers);
    t.is(refused.status, 403);
    hides("registration", refused.body);
  }
  // who was refused named the URL himself; others do not even learn that
  hidden.push(at.closed.url);
  hides("list", (await at.api("/api/v1/tasks?limit=1000")).body);
  hides("cache", (await at.api("/api/v1/cache")).body);
  hides("health", (await at.api("/healthz")).body);
  for (const key of [secret.id, secret.infoHash, secret.infoHashV1, secret.infoHashV2])
    for (const [path, method] of [
      ["", "GET"],
      ["/torrent", "GET"],
      ["/magnet", "GET"],
      ["/pin", "PUT"],
      ["", "DELETE"],
    ]) {
      const answer = await at.api(`/api/v1/tasks/${key}${path}`, method);
      t.is(answer.status, 404, `${method} ${path}`);
    }
  t.is((await at.final(at.closed.url, { authorization: ALICE })).id, secret.id, "it is still there for who may have it");
  const refused = await at.cluster.dfget("h1", at.closed.url);
  t.is(refused.exitCode, 11, JSON.stringify(refused));
});

test("the hashes of a public twin lead to the public task only", async (t) => {
  await using at = await setUp();
  const secret = await at.final(at.closed.url, { authorization: ALICE });
  t.is((await at.cluster.dfget("h0", at.closed.url, ["--header", `Authorization: ${ALICE}`])).status, "ok");
  const seederPort = parseHostPort(at.seeder.ready.listen).port;
  const open = await at.final(at.open.url);
  t.is(open.name, secret.name);
  for (const name of ["infoHash", "infoHashV1", "infoHashV2"]) t.not(open[name], secret[name], name);
  const infoV1 = Buffer.from(secret.final.infoV1, "base64");
  t.is(infoHashV1(infoV1), secret.infoHashV1);
  t.is(infoHashV2(Buffer.from(secret.final.infoV2, "base64")), secret.infoHashV2);
  t.deepEqual(parseInfoV1(infoV1).sha1s, parseInfoV1(Buffer.from(open.final.infoV1, "base64")).sha1s, "the content is the same");
  t.deepEqual(
    parseInfoV2(Buffer.from(secret.final.infoV2, "base64")).piecesRoot,
    parseInfoV2(Buffer.from(open.final.infoV2, "base64")).piecesRoot,
  );
  await at.api(`/api/v1/tasks/${open.id}`, "DELETE");
  const { host, port } = new URL(at.cluster.url);
  const hostPort = parseHostPort(at.host.ready.peer).port;
  for (const hash of [open.infoHash, open.infoHashV1, open.infoHashV2, randomBytes(20).toString("hex")]) {
    t.false(await shakesHands(seederPort, hash), "the seeder's peer port");
    t.false(await shakesHands(hostPort, hash), "the peer port of a host that has the content");
    const query = `info_hash=${bytesOf(hash)}`;
    const announce = await callApi(
      `http://${host}/announce?${query}&peer_id=-XX0000-abcdefghijkl&port=${OUR_PORT}&uploaded=0&downloaded=0&left=1&compact=1`,
    );
    t.false(/5:peers[1-9]/.test(String(announce.body)), String(announce.body));
    const scrape = await callApi(`http://${host}/scrape?${query}`);
    t.false(/8:completei[1-9]/.test(String(scrape.body)), String(scrape.body));
    const ports = await announceUdp(Number(port), hash);
    t.true(
      ports.every((each) => each === OUR_PORT),
      `${ports}: nobody but who asked over HTTP`,
    );
  }
  for (const port of [seederPort, hostPort]) t.true(await shakesHands(port, secret.infoHash), "the capability itself works");
});

test("the API shows no credentials of URLs, and content behind a signed URL is private", async (t) => {
  await using at = await setUp();
  const signed = `${at.open.url}?X-Amz-Signature=abcdef0123&X-Amz-Date=1`;
  const { body } = await at.post(signed);
  t.truthy(body.id);
  t.is((await at.api(`/api/v1/tasks/${body.id}`)).status, 404);
  const plain = (await at.post(`${at.open.url}?part=1`)).body;
  t.is((await at.api(`/api/v1/tasks/${plain.id}`)).body.url, `${at.open.url}?part=1`);
  for (const path of ["/api/v1/tasks", "/api/v1/cache"]) t.false(JSON.stringify((await at.api(path)).body).includes("abcdef0123"));
});

test("1,000 registrations at once through the API: one probe for each credential, one download", async (t) => {
  await using at = await setUp();
  // slower than the supernode takes to read them all
  const { url, file } = at.origin.add("/many.bin", seededBytes(52, 2 * MIB), { latencyMs: 4000 });
  const answers = await Promise.all(Array.from({ length: 1000 }, (_, index) => at.post(url, index % 2 === 0 ? {} : { "x-user": "b" })));
  t.true(answers.every(({ status }) => status === 200));
  t.is(new Set(answers.map(({ body }) => body.id)).size, 1);
  const probes = at.origin.requests.filter(({ path, range }) => path === "/many.bin" && range === "bytes=0-0");
  t.is(probes.length, 2);
  file.latencyMs = 0;
  await until(async () => (await at.api(`/api/v1/tasks/${answers[0].body.id}`)).body.state === "final");
  // two probes, and the last question
  t.true((at.origin.sent.get("/many.bin") ?? 0) <= 2 * MIB + 3);
  t.is((await at.cluster.dfget("h0", url)).status, "ok");
  t.is(await sha256Of(at.cluster.output("h0")), at.origin.add("/again", seededBytes(52, 2 * MIB)).sha256);
});
