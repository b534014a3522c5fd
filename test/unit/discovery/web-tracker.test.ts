/** WebTrackers against a WebSocket server that the test answers for, with calls that only note. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import test from "ava";
import { type WebSocket, WebSocketServer } from "ws";
import type { Announce } from "../../../peer/discovery/announce.ts";
import type { OpenChannel, RingingCall } from "../../../peer/discovery/web-calls.ts";
import { WebTrackers } from "../../../peer/discovery/web-trackers.ts";
import type { MetPeer } from "../../../peer/engine/met-peer.ts";
import type { InfoHash, PeerId } from "../../../torrents/ids.ts";
import { until } from "../../support/processes.ts";

const NEVER = new AbortController().signal;
const HASH = "ab".repeat(20) as InfoHash;
const THEM = "ff".repeat(20) as PeerId;
const ANNOUNCE: Announce = {
  infoHash: HASH,
  peerId: "2d".repeat(20) as PeerId,
  port: 7,
  uploaded: 0,
  downloaded: 0,
  left: 1,
  numwant: 50,
  event: "started",
};
const binary = (hex: string): string => Buffer.from(hex, "hex").toString("latin1");

interface Heard {
  readonly socket: WebSocket;
  readonly message: Record<string, unknown> & { readonly offers?: readonly { readonly offer_id: string }[] };
}

/** A tracker; `next` resolves with the messages in turn. */
async function startTracker() {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const heard: Heard[] = [];
  const news = new EventTarget();
  server.on("connection", (socket) =>
    socket.on("message", (bytes) => {
      heard.push({ socket, message: JSON.parse(String(bytes)) });
      news.dispatchEvent(new Event("heard"));
    }),
  );
  let read = 0;
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    next: async (): Promise<Heard> => {
      while (heard.length <= read) await once(news, "heard", { signal: AbortSignal.timeout(10_000) });
      return heard[read++];
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Calls that are never placed. */
class FakeCalls {
  readonly ringing: (RingingCall & { accepted: string[]; open: boolean; ring: (channel: OpenChannel) => void; fail: () => void })[] = [];
  readonly answered: string[] = [];
  full = false;

  async offer(onOpen: (channel: OpenChannel) => void, onFail: () => void): Promise<RingingCall | undefined> {
    if (this.full) return undefined;
    const accepted: string[] = [];
    const call = {
      sdp: `v=0 ${this.ringing.length}`,
      open: true,
      accepted,
      ring: onOpen,
      fail: () => {
        call.open = false;
        onFail();
      },
      accept: (sdp: string) => void accepted.push(sdp),
      [Symbol.dispose]: () => void (call.open = false),
    };
    this.ringing.push(call);
    return call;
  }

  async answer(sdp: string): Promise<string | undefined> {
    if (this.full) return undefined;
    this.answered.push(sdp);
    return `re: ${sdp}`;
  }
}

function announcing(connected: readonly PeerId[] = []) {
  const calls = new FakeCalls();
  const met: MetPeer[] = [];
  const trackers = new WebTrackers({
    calls,
    onPeer: (peer) => void met.push(peer),
    isConnected: (_, peerId) => connected.includes(peerId),
    clock: { nowMs: () => performance.now() },
    random: () => 0.5,
  });
  return { calls, met, trackers };
}

const answer = ({ socket }: Heard, fields: object = { interval: 60 }): void =>
  socket.send(JSON.stringify({ action: "announce", info_hash: binary(HASH), ...fields }));

/** Announces, and has the tracker answer. */
async function letIn(tracker: Awaited<ReturnType<typeof startTracker>>, trackers: WebTrackers): Promise<Heard> {
  const asked = trackers.announce(tracker.url, ANNOUNCE, NEVER);
  const first = await tracker.next();
  answer(first);
  await asked;
  return first;
}

test("a download calls at most five, an answer to a call reaches it, and the peer comes with its swarm", async (t) => {
  await using tracker = await startTracker();
  const { calls, met, trackers } = announcing();
  using _ = trackers;
  const asked = trackers.announce(tracker.url, ANNOUNCE, NEVER);
  const first = await tracker.next();
  const ids = first.message.offers?.map(({ offer_id }) => offer_id) ?? [];
  t.is(new Set(ids).size, 5);
  answer(first, { interval: 60, complete: 1, incomplete: 2 });
  t.like(await asked, { intervalS: 60, seeds: 1, leeches: 2, peers: [] });
  answer(first, { peer_id: binary(THEM), offer_id: ids[2], answer: { type: "answer", sdp: "v=0 yes" } });
  answer(first, { peer_id: binary(THEM), offer_id: "of nobody", answer: { type: "answer", sdp: "v=0 no" } });
  await until(() => calls.ringing[2].accepted.length === 1);
  // the call that was answered makes room for another one
  const again = trackers.announce(tracker.url, { ...ANNOUNCE, event: undefined }, NEVER);
  const second = await tracker.next();
  answer(second);
  await again;
  t.is(second.message.offers?.length, 1);
  t.deepEqual(
    calls.ringing.map(({ accepted }) => accepted),
    [[], [], ["v=0 yes"], [], [], []],
  );
  calls.ringing[2].ring({ stream: new PassThrough(), host: "192.0.2.1", port: 9 });
  t.like(met[0], { infoHash: HASH, incoming: false, host: "192.0.2.1" });
});

test("a call that was answered and failed is made again at once, five times in a row at most, and not for who has everything", async (t) => {
  await using tracker = await startTracker();
  const { calls, trackers } = announcing();
  await letIn(tracker, trackers);
  for (let time = 0; time < 5; time++) {
    calls.ringing[time].fail();
    const { message } = await tracker.next();
    t.is(message.event, undefined);
    t.is(message.offers?.length, 1);
  }
  t.is(calls.ringing.length, 10);
  calls.ringing[5].fail();
  const asked = trackers.announce(tracker.url, { ...ANNOUNCE, event: "completed", left: 0 }, NEVER);
  const last = await tracker.next();
  t.is(last.message.event, "completed");
  answer(last);
  await asked;
  trackers[Symbol.dispose]();
});

test("calls of others are answered: not our own, not of who is connected, not more than thirty at once, and not where there is no room", async (t) => {
  await using tracker = await startTracker();
  const other = "ee".repeat(20) as PeerId;
  const { calls, trackers } = announcing([other]);
  using _ = trackers;
  const asked = trackers.announce(tracker.url, { ...ANNOUNCE, numwant: 0 }, NEVER);
  const first = await tracker.next();
  t.deepEqual(first.message.offers, []);
  answer(first);
  await asked;
  const call = (from: string, id: string): void =>
    answer(first, { peer_id: binary(from), offer_id: id, offer: { type: "offer", sdp: `v=0 ${id}` } });
  call(ANNOUNCE.peerId, "own");
  call(other, "connected");
  for (let count = 0; count < 60; count++) call(THEM, `n${count}`);
  const replied = await tracker.next();
  t.like(replied.message, { to_peer_id: binary(THEM), offer_id: "n0", answer: { type: "answer", sdp: "re: v=0 n0" } });
  for (let count = 1; count < 30; count++) await tracker.next();
  // what was said before this has been read by now
  const later = trackers.announce(tracker.url, { ...ANNOUNCE, numwant: 0 }, NEVER);
  let last = await tracker.next();
  while (last.message.answer !== undefined) last = await tracker.next();
  answer(last);
  await later;
  // 30, and 5 for each second that this took
  t.true(calls.answered.length >= 30 && calls.answered.length < 45, String(calls.answered.length));
  t.false(calls.answered.some((sdp) => sdp === "v=0 own" || sdp === "v=0 connected"));
});

test("who leaves says so, ends its calls, and the last one the connection", async (t) => {
  await using tracker = await startTracker();
  const { calls, trackers } = announcing();
  using _ = trackers;
  const first = await letIn(tracker, trackers);
  const closed = once(first.socket, "close");
  await trackers.announce(tracker.url, { ...ANNOUNCE, event: "stopped" }, NEVER);
  t.is((await tracker.next()).message.event, "stopped");
  t.true(calls.ringing.every(({ open }) => !open));
  await closed;
});

test("a connection that was lost is made again, and says again who is there", async (t) => {
  await using tracker = await startTracker();
  const { calls, trackers } = announcing();
  using _ = trackers;
  const first = await letIn(tracker, trackers);
  first.socket.terminate();
  const second = await tracker.next();
  t.not(second.socket, first.socket);
  t.like(second.message, { event: "started", info_hash: binary(HASH) });
  t.true(calls.ringing.every(({ open }) => !open));
});

test("a refusal is told and forgotten; nobody there, and no answer in time, are failures", async (t) => {
  await using tracker = await startTracker();
  const { trackers } = announcing();
  using _ = trackers;
  const refused = trackers.announce(tracker.url, ANNOUNCE, NEVER);
  const first = await tracker.next();
  const closed = once(first.socket, "close");
  answer(first, { "failure reason": "unknown torrent" });
  t.is((await refused).failure, "unknown torrent");
  await closed;
  const silent = trackers.announce(tracker.url, ANNOUNCE, AbortSignal.timeout(50));
  await t.throwsAsync(silent, { name: "TimeoutError" });
  const nowhere = trackers.announce("ws://127.0.0.1:1", ANNOUNCE, NEVER);
  await t.throwsAsync(nowhere, { code: "no_supernode" });
});
