/** /metrics of supernode, seeder and daemon: the names are those of docs/metrics.md, and the figures are those of what happened. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import test from "ava";
import { requestJson } from "../../system/json-http.ts";
import { Cluster } from "../support/cluster.ts";
import { until } from "../support/processes.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

interface Scrape {
  /** Name → kind. */
  readonly kinds: ReadonlyMap<string, string>;
  /** The sample with exactly this text in front of its value: `name{label="x"}`. */
  value(sample: string): number;
  /** All samples of a name. */
  sum(name: string): number;
}

async function scrape(url: string): Promise<Scrape> {
  const answer = await fetch(url);
  const text = await answer.text();
  if (!answer.ok || !answer.headers.get("content-type")?.startsWith("text/plain")) throw new Error(`${answer.status} ${text}`);
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const read = (line: string): [string, number] => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))];
  const values = samples.map(read);
  return {
    kinds: new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => [name, kind])),
    value: (sample) => values.find(([name]) => name === sample)?.[1] ?? Number.NaN,
    sum: (wanted) => values.filter(([name]) => name.split("{", 1)[0] === wanted).reduce((sum, [, value]) => sum + value, 0),
  };
}

/** Name → kind of the tables under these headings. */
async function documented(headings: readonly string[]): Promise<Map<string, string>> {
  const page = await readFile(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  const sections = page.split(/^## /m).filter((section) => headings.includes(section.split("\n", 1)[0]));
  if (sections.length !== headings.length) throw new Error(`not all of ${headings} are headings`);
  return new Map(
    sections.flatMap((text) => [...text.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, kind]) => [name, kind] as const)),
  );
}

const sorted = (map: ReadonlyMap<string, string>): string[] => [...map].map(([name, kind]) => `${name} ${kind}`).sort();

test("the metrics of each process are those of docs/metrics.md, and count what happened", async (t) => {
  const length = 3_000_000;
  await using origin = await ScriptedOrigin.start();
  await using cluster = await Cluster.start({ supernodeArgs: ["--seeder-metrics", "127.0.0.1:0"] });
  const daemon = await cluster.startDaemon("h0", ["--metrics", "127.0.0.1:0"]);
  const { url } = origin.add("/f.bin", randomBytes(length));
  t.like(await cluster.dfget("h0", url), { exitCode: 0 });
  // the second time the seeder's task is known
  const { body } = await requestJson({ url: `${cluster.url}/api/v1/preheats`, body: { url } });
  const { id } = body as { id: string };
  await until(async () => {
    const job = (await requestJson({ url: `${cluster.url}/api/v1/preheats/${id}` })).body as { state: string };
    return job.state === "success";
  });
  await requestJson({ url: `${cluster.url}/api/v1/tasks/absent` });
  await fetch(`${cluster.url}/nonsense/${id}`);

  const supernode = await scrape(`${cluster.url}/metrics`);
  t.deepEqual(sorted(supernode.kinds), sorted(await documented(["Every process", "Supernode"])));
  t.is(supernode.value('skimmer_tasks{state="final"}'), 1);
  t.is(supernode.value("skimmer_swarms"), 1);
  t.is(supernode.value("skimmer_seeders"), 1);
  t.true(supernode.sum("skimmer_peers") >= 2);
  t.true(supernode.sum("skimmer_announces_total") >= 1);
  t.is(supernode.value('skimmer_preheats_ended_total{state="success"}'), 1);
  t.is(supernode.value('skimmer_api_requests_total{method="POST",route="/api/v1/tasks",status="200"}'), 1);
  t.is(supernode.value('skimmer_api_requests_total{method="GET",route="/api/v1/tasks/:id",status="404"}'), 1);
  t.is(supernode.value('skimmer_api_requests_total{method="GET",route="none",status="404"}'), 1);

  const seeder = await scrape(cluster.supernode.ready.seederMetrics);
  t.deepEqual(sorted(seeder.kinds), sorted(await documented(["Every process", "Seeder", "Seeder and host daemon"])));
  t.is(seeder.value('skimmer_build_info{version="0.1.0",role="seeder"}'), 1);
  t.is(seeder.value('skimmer_registrations_total{result="new"}'), 1);
  t.is(seeder.value('skimmer_registrations_total{result="revalidated"}') + seeder.value('skimmer_registrations_total{result="known"}'), 1);
  t.is(seeder.value("skimmer_first_piece_seconds_count"), 1);
  t.is(seeder.value("skimmer_cache_bytes"), length);
  t.is(seeder.value("skimmer_supernode_linked"), 1);
  t.is(seeder.value('skimmer_tasks{state="final"}'), 1);
  t.is(seeder.value('skimmer_received_bytes_total{from="origin"}'), length);
  t.is(seeder.value("skimmer_uploaded_bytes_total"), length);
  t.true(seeder.value("skimmer_origin_bytes_total") >= length);
  t.true(seeder.value('skimmer_origin_responses_total{status="206"}') >= 1);
  t.true(seeder.value(`skimmer_origin_host_bytes_total{host="${new URL(origin.url).host}"}`) >= length);

  const host = await scrape(daemon.ready.metrics);
  t.deepEqual(sorted(host.kinds), sorted(await documented(["Every process", "Seeder and host daemon", "Host daemon"])));
  t.is(host.value('skimmer_received_bytes_total{from="seeder"}'), length);
  t.is(host.value('skimmer_torrents{complete="yes"}'), 1);
  t.is(host.value("skimmer_origin_requests_total"), 0);
  // a second look adds nothing
  t.is((await scrape(daemon.ready.metrics)).value('skimmer_received_bytes_total{from="seeder"}'), length);
  t.is((await fetch(new URL("/other", daemon.ready.metrics))).status, 404);
});
