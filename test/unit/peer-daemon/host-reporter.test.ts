/** A host tells its supernodes: everything to who does not know it, changes after that, a last word at the end; who does not listen is left alone. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import test from "ava";
import { HostReporter } from "../../../peer/daemon/host-reporter.ts";
import type { Torrent } from "../../../peer/engine/types.ts";
import { realClock } from "../../../system/clock.ts";
import { silentLogger } from "../../../system/logger.ts";
import type { HostReport } from "../../../torrents/host-report.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { until } from "../../support/processes.ts";

const OURS = "01".repeat(20) as InfoHash;
const OTHERS = "02".repeat(20) as InfoHash;
const PEER = { id: "2d534b303130302d000000000000000000000001" as PeerId, port: 65002, idc: "fra1" };

function torrentOf(infoHash: InfoHash, uploadedBytes = 0): Torrent {
  const from = { origin: 0, seeder: 5, peers: 0, cache: 0 };
  const stats = { piecesHave: 0, bytesHave: 0, from, uploadedBytes, connections: 0, downloadBytesPerSecond: 0, uploadBytesPerSecond: 0 };
  return { infoHash, geometry: { pieceCount: 1, lengthBytes: 5 }, stats, has: () => false } as unknown as Torrent;
}

/** A supernode that answers as told, and keeps what it heard. */
async function listen(answer: (report: HostReport, authorization: string | undefined) => { status: number; body: object }) {
  const heard: HostReport[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const report = JSON.parse(body) as HostReport;
      heard.push(report);
      const { status, body: answered } = answer(report, request.headers.authorization);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answered));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  };
  return { heard, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, [Symbol.asyncDispose]: close };
}

function reporterTo(supernodes: readonly string[], torrents: Map<InfoHash, Torrent>): HostReporter {
  const isSupernodes = (infoHash: InfoHash): boolean => infoHash === OURS;
  return new HostReporter({ supernodes, token: "secret", peer: PEER, torrents, isSupernodes, clock: realClock, logger: silentLogger });
}

test("everything is told to who does not know the host, then only changes, and the last word at the end", async (t) => {
  let knows = false;
  const tokens = new Set<string | undefined>();
  await using supernode = await listen((_report, authorization) => {
    tokens.add(authorization);
    const whole = !knows;
    knows = true;
    return { status: 200, body: { nextSeconds: 1, whole } };
  });
  const torrents = new Map([OURS, OTHERS].map((infoHash) => [infoHash, torrentOf(infoHash)]));
  const reporter = reporterTo([`${supernode.url}=3`], torrents);
  reporter.start();
  await until(() => supernode.heard.length === 2);
  for (const { whole, tasks, peer } of supernode.heard) {
    t.true(whole);
    t.deepEqual(peer, PEER);
    t.deepEqual(
      tasks.map(({ infoHash }) => infoHash),
      [OURS],
      "others' torrents are nobody's business",
    );
  }
  torrents.set(OURS, torrentOf(OURS, 77));
  await until(() => supernode.heard.length === 3);
  t.like(supernode.heard[2], { whole: false, tasks: [{ uploadedBytes: 77 }] });
  reporter.closing(torrentOf(OURS, 99));
  reporter.closing(torrentOf(OTHERS, 99));
  torrents.clear();
  await reporter[Symbol.asyncDispose]();
  t.deepEqual(
    supernode.heard[3].tasks.map(({ infoHash, uploadedBytes }) => [infoHash, uploadedBytes]),
    [[OURS, 99]],
  );
  t.deepEqual([...tokens], ["Bearer secret"]);
});

test("a supernode that takes no reports is left alone, and the others are told", async (t) => {
  await using deaf = await listen(() => ({ status: 404, body: {} }));
  await using odd = await listen(() => ({ status: 200, body: { nextSeconds: "soon" } }));
  await using good = await listen(() => ({ status: 200, body: { nextSeconds: 1, whole: false } }));
  const torrents = new Map([[OURS, torrentOf(OURS)]]);
  await using reporter = reporterTo([deaf.url, odd.url, "http://127.0.0.1:1", good.url], torrents);
  reporter.start();
  await until(() => good.heard.length === 1);
  torrents.set(OURS, torrentOf(OURS, 1));
  await until(() => good.heard.length === 2);
  t.is(deaf.heard.length, 1);
  t.is(odd.heard.length, 1);
});
