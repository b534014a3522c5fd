import test from "ava";
import { addMetrics, GrowingSum, makeRegistry } from "../../../system/metrics.ts";
import { listenForMetrics } from "../../../system/metrics-listener.ts";

test("addMetrics() reads when somebody scrapes, and only then; labels that are gone are gone", async (t) => {
  const registry = makeRegistry("test");
  let reads = 0;
  let hosts = ["a", "b"];
  addMetrics(registry, [
    { name: "skimmer_x_total", help: "x", kind: "counter", read: () => ++reads },
    {
      name: "skimmer_y",
      help: "y",
      kind: "gauge",
      labels: ["host"],
      read: async () => hosts.map((host) => ({ labels: { host }, value: 5 })),
    },
  ]);
  t.is(reads, 0);
  t.regex(await registry.metrics(), /^skimmer_x_total 1$/m);
  hosts = ["b"];
  const text = await registry.metrics();
  t.regex(text, /^skimmer_x_total 2$/m);
  t.regex(text, /^skimmer_y\{host="b"\} 5$/m);
  t.notRegex(text, /host="a"/);
  t.regex(text, /^skimmer_build_info\{version="[^"]+",role="test"\} 1$/m);
});

test("GrowingSum.add() never falls, whatever comes and goes", (t) => {
  const sum = new GrowingSum<{ bytes: number }>();
  const read = ({ bytes }: { bytes: number }): number => bytes;
  const [a, b] = [{ bytes: 10 }, { bytes: 5 }];
  t.is(sum.add([a, b], read), 15);
  a.bytes = 12;
  t.is(sum.add([a, b], read), 17);
  t.is(sum.add([b], read), 17);
  b.bytes = 0;
  t.is(sum.add([b], read), 17);
  b.bytes = 4;
  t.is(sum.add([b, { bytes: 1 }], read), 22);
});

test("listenForMetrics() serves /metrics and nothing else; a taken port is said so", async (t) => {
  const registry = makeRegistry("test");
  await using listener = await listenForMetrics(registry, { host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.port}`;
  const answer = await fetch(`${url}/metrics?x=1`);
  t.is(answer.headers.get("content-type"), registry.contentType);
  t.regex(await answer.text(), /process_resident_memory_bytes \d+/);
  t.is((await fetch(`${url}/`)).status, 404);
  t.is((await fetch(`${url}/metrics`, { method: "POST" })).status, 405);
  const error = await t.throwsAsync(listenForMetrics(registry, { host: "127.0.0.1", port: listener.port }));
  t.is((error as unknown as { code: string }).code, "address_in_use");
});
