/** Views as server-sent events: one view for all who listen to it, changes only, bounds, and the end of what is no more. */
import { once } from "node:events";
import { createServer, get, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import test from "ava";
import { SkimmerError } from "../../../../system/errors.ts";
import { silentLogger } from "../../../../system/logger.ts";
import type { View } from "../../../../tracker/pages/browser/shapes.ts";
import { EventStreams } from "../../../../tracker/pages/event-streams.ts";
import { until } from "../../../support/processes.ts";

interface Place extends AsyncDisposable {
  readonly streams: EventStreams;
  /** How often each view was made. */
  readonly made: Map<string, number>;
  view: (key: string) => View;
  /** Opens a stream; `text` is what came so far. */
  listen(key?: string): Promise<{ readonly answer: IncomingMessage; text(): string }>;
}

async function setUp(): Promise<Place> {
  const streams = new EventStreams({ logger: silentLogger });
  const server: Server = createServer((request, response) => {
    const key = request.url ?? "";
    const make = (): View => {
      place.made.set(key, (place.made.get(key) ?? 0) + 1);
      return place.view(key);
    };
    try {
      streams.listen(response, { key, address: "10.0.0.1", make });
    } catch (error) {
      response.writeHead(error instanceof SkimmerError && error.code === "busy" ? 503 : 500).end();
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const place: Place = {
    streams,
    made: new Map(),
    view: (key) => ({ fields: { n: place.made.get(key) }, rows: [{ key: "a" }], once: { history: [1] } }),
    listen: async (key = "/x") => {
      const request = get({ port, host: "127.0.0.1", path: key, agent: false });
      const [answer] = (await once(request, "response")) as [IncomingMessage];
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.on("error", () => undefined);
      return { answer, text: () => text };
    },
    [Symbol.asyncDispose]: async () => {
      streams[Symbol.dispose]();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return place;
}

/** The changes that came, in their order. */
function changesIn(text: string): string[] {
  return [...text.matchAll(/event: change\ndata: (.*)\n\n/g)].map(([, data]) => data);
}

test("listen() sends the view once, then what changed of it, made once for all", async (t) => {
  await using place = await setUp();
  const one = await place.listen();
  const two = await place.listen();
  await until(() => changesIn(one.text()).length > 0 && changesIn(two.text()).length > 0, 30_000);
  const first = 'retry: 1000\nevent: view\ndata: {"fields":{"n":1},"rows":[{"key":"a"}],"once":{"history":[1]}}\n\n';
  t.true(one.text().startsWith(`${first}event: change\ndata: {"fields":{"n":2}}\n\n`), one.text());
  const [common] = changesIn(two.text());
  t.true(changesIn(one.text()).includes(common), "both are told the same");
  t.is(one.answer.headers["content-type"], "text/event-stream; charset=utf-8");
});

test("a view that does not change is not told again; a beat shows that the line stands", async (t) => {
  await using place = await setUp();
  place.view = () => ({ fields: {}, rows: [] });
  const { text } = await place.listen();
  // every 15 seconds
  await until(() => text().endsWith(":\n\n"), 30_000);
  t.is(text(), 'retry: 1000\nevent: view\ndata: {"fields":{},"rows":[]}\n\n:\n\n');
});

test("what is no more ends the stream with `gone`", async (t) => {
  await using place = await setUp();
  const { answer, text } = await place.listen();
  place.view = () => {
    throw new SkimmerError("not_found", "no such task");
  };
  await once(answer, "end");
  t.regex(text(), /event: gone\ndata: \{\}\n\n$/);
});

test("views of their own and listeners are bounded, and who leaves makes room", async (t) => {
  await using place = await setUp();
  const open = await Promise.all(Array.from({ length: 100 }, (_, index) => place.listen(`/${index}`)));
  t.true(open.every(({ answer }) => answer.statusCode === 200));
  const { answer: refused } = await place.listen("/0");
  t.is(refused.statusCode, 503, "the address has its share");
  open[0].answer.destroy();
  await until(() => place.streams.size === 99);
  t.is((await place.listen("/1")).answer.statusCode, 200);
});

test("what nobody listens to is not made", async (t) => {
  await using place = await setUp();
  const { answer } = await place.listen("/left");
  answer.destroy();
  await until(() => place.streams.size === 0);
  const made = place.made.get("/left");
  const { text } = await place.listen("/other");
  await until(() => changesIn(text()).length >= 2, 30_000);
  t.is(place.made.get("/left"), made);
});

test("show() answers with what others listen to, and refuses to make more than there is time for", async (t) => {
  await using place = await setUp();
  const { streams } = place;
  place.view = () => ({ fields: { shared: true }, rows: [] });
  await place.listen("/shared");
  const make = (): View => ({ fields: { own: true }, rows: [] });
  t.like(streams.show({ key: "/shared", make }).fields, { shared: true });
  t.like(streams.show({ key: "/other", make }).fields, { own: true });
  const slow = (): View => {
    const endMs = performance.now() + 800;
    while (performance.now() < endMs);
    return make();
  };
  for (let times = 0; times < 3; times++) streams.show({ key: "/slow", make: slow });
  t.like(
    t.throws(() => streams.show({ key: "/slow", make: slow })),
    { code: "busy", retriable: true },
  );
  t.like(streams.show({ key: "/shared", make }).fields, { shared: true }, "which costs nothing");
});
