/**
 * WebSocket announces at a running supernode: what strangers and other sites' pages may not do, and what it does not cost others.
 */
import { once } from "node:events";
import test from "ava";
import WebSocket from "ws";
import { startSupernode, type TestSupernode } from "./support/start-supernode.ts";

const HASH = "h".repeat(20);
const OFFER = { type: "offer", sdp: "v=0" };
const WAIT_MS = 10_000;

class Browser implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly peerId: string;
  readonly got: Record<string, unknown>[] = [];
  readonly closed: Promise<number>;

  private constructor(socket: WebSocket, peerId: string) {
    this.socket = socket;
    this.peerId = peerId;
    socket.on("error", () => undefined);
    socket.on("message", (bytes) => this.got.push(JSON.parse(String(bytes))));
    this.closed = once(socket, "close").then(([code]) => code as number);
  }

  static async open({ url }: TestSupernode, name: string, origin?: string): Promise<Browser> {
    const socket = new WebSocket(`${url.replace("http", "ws")}/announce`, { origin });
    const browser = new Browser(socket, name.padEnd(20, "-"));
    await once(socket, "open");
    return browser;
  }

  /** Sends an announce with so many offers; answers what comes back. */
  async announce(fields: object = {}, offers = 0): Promise<Record<string, unknown>> {
    const list = Array.from({ length: offers }, (_, index) => ({ offer: OFFER, offer_id: `${this.peerId} ${index}` }));
    this.send({ left: 1, event: "started", offers: list, ...fields });
    return this.next((message) => "complete" in message || "failure reason" in message);
  }

  send(fields: object): void {
    this.socket.send(JSON.stringify({ action: "announce", info_hash: HASH, peer_id: this.peerId, ...fields }));
  }

  /** The next message like that; it is taken out of what came. */
  async next(fits: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    const signal = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const at = this.got.findIndex(fits);
      if (at >= 0) return this.got.splice(at, 1)[0];
      await once(this.socket, "message", { signal });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }
}

async function statusOf({ url }: TestSupernode, origin: string): Promise<number> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/announce`, { origin });
  socket.on("error", () => undefined);
  const [, response] = await once(socket, "unexpected-response");
  socket.terminate();
  return response.statusCode;
}

test("pages of other sites may not announce, unless any info hash is tracked; the supernode's own may", async (t) => {
  await using closed = await startSupernode();
  t.is(await statusOf(closed, "http://evil.example"), 403);
  t.is(await statusOf(closed, "null"), 403);
  await using own = await Browser.open(closed, "own", closed.url);
  t.is(own.socket.readyState, WebSocket.OPEN);
  await using open = await startSupernode({ openTracker: true });
  await using foreign = await Browser.open(open, "foreign", "http://files.example");
  t.is((await foreign.announce()).incomplete, 1);
});

test("offers and answers go to the other peer, without anything that is not of the protocol", async (t) => {
  await using supernode = await startSupernode({ openTracker: true });
  await using one = await Browser.open(supernode, "one");
  await using other = await Browser.open(supernode, "other");
  await one.announce({ left: 0 });
  other.send({ left: 1, secret: "x", offers: [{ offer: { ...OFFER, more: "x" }, offer_id: "id", evil: "x" }] });
  const offered = await one.next((message) => "offer" in message);
  t.deepEqual(offered, { action: "announce", offer: OFFER, offer_id: "id", peer_id: other.peerId, info_hash: HASH });
  one.send({ answer: { type: "answer", sdp: "v=1", more: "x" }, to_peer_id: other.peerId, offer_id: "id" });
  const answered = await other.next((message) => "answer" in message);
  t.deepEqual(answered.answer, { type: "answer", sdp: "v=1" });
  // an answer says nothing of what its sender lacks
  t.like(await other.announce(), { complete: 1, incomplete: 1 });
});

for (const [what, message] of [
  ["a message of 300 KiB", { offers: [], padding: "x".repeat(300 * 1024) }],
  ["an offer of 20 KiB", { offers: [{ offer: { type: "offer", sdp: "x".repeat(20 * 1024) }, offer_id: "id" }] }],
  ["21 offers", { offers: Array(21).fill({ offer: OFFER, offer_id: "id" }) }],
  ["a scrape of 101 hashes", { action: "scrape", info_hash: Array(101).fill(HASH) }],
] as const) {
  test(`${what} ends its sender's connection, and nobody else's`, async (t) => {
    await using supernode = await startSupernode({ openTracker: true });
    await using good = await Browser.open(supernode, "good");
    await using bad = await Browser.open(supernode, "bad");
    bad.send(message);
    t.true([1008, 1009].includes(await bad.closed));
    t.is((await good.announce()).incomplete, 1);
  });
}

test("a flood of announces ends its sender's connection; what it offered is bounded", async (t) => {
  await using supernode = await startSupernode({ openTracker: true });
  await using victim = await Browser.open(supernode, "victim");
  await victim.announce({ left: 0 });
  await using flood = await Browser.open(supernode, "flood");
  const offers = [{ offer: OFFER, offer_id: "id" }];
  for (let turn = 0; turn < 1000; turn++) flood.send({ left: 1, offers });
  t.is(await flood.closed, 1008);
  await victim.announce({ left: 0 });
  const offered = victim.got.filter((message) => "offer" in message).length;
  // 100 at once, and 20 for each second that the flood took
  t.true(offered >= 100 && offered < 250, String(offered));
});

test("nobody takes another's peer id, or leaves for it", async (t) => {
  await using supernode = await startSupernode({ openTracker: true });
  await using own = await Browser.open(supernode, "same");
  await own.announce({ left: 0 });
  {
    // from the same address it is the same host, which came back
    await using again = await Browser.open(supernode, "same");
    t.like(await again.announce({ left: 0 }), { complete: 1, incomplete: 0 });
    own.socket.terminate();
    await own.closed;
    t.like(await again.announce({ left: 0 }), { complete: 1, incomplete: 0 });
  }
});

test("a connection takes part in 200 torrents at most", async (t) => {
  await using supernode = await startSupernode({ openTracker: true });
  await using browser = await Browser.open(supernode, "many");
  for (let number = 0; number < 200; number++)
    t.false("failure reason" in (await browser.announce({ info_hash: String(number).padStart(20) })));
  t.regex(String((await browser.announce({ info_hash: "x".repeat(20) }))["failure reason"]), /too many torrents/);
});
