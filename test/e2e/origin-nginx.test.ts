/**
 * nginx as the origin, as most users have it: ranges and strong ETags, compression switched on, limited connections, no ranges.
 */
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Cluster, sha256Of } from "../support/cluster.ts";
import { startNginx } from "../support/nginx.ts";
import { lastJson, place } from "../support/origin-place.ts";
import { seededBytes } from "../support/scripted-origin.ts";

const MIB = 1024 * 1024;

for (const [how, location] of [
  ["as it is", ""],
  ["with gzip for everything", "gzip on; gzip_types *; gzip_min_length 1;"],
  ["with limited rate per connection", "limit_rate 2m;"],
  ["without ranges", "max_ranges 0;"],
] as const) {
  test(`dfget reads nginx ${how}`, async (t) => {
    await using nginx = await startNginx(location);
    if (nginx === undefined) return skip(t);
    const path = join(nginx.root, "f.bin");
    await writeFile(path, seededBytes(50, 12 * MIB + 5));
    await using at = await place([]);
    const done = lastJson(await at.dfget(`${nginx.url}/f.bin`, "-o", "out"));
    t.like(done, { status: "ok", from: { origin: 12 * MIB + 5 } }, JSON.stringify(done));
    t.is(await sha256Of(at.path("out")), await sha256Of(path));
  });
}

test("a file replaced at nginx while a swarm reads it is never mixed", async (t) => {
  await using nginx = await startNginx("limit_rate 1m;");
  if (nginx === undefined) return skip(t);
  const path = join(nginx.root, "f.bin");
  await writeFile(path, seededBytes(51, 16 * MIB));
  await using cluster = await Cluster.start({ daemons: 1 });
  const running = cluster.dfget("h0", `${nginx.url}/f.bin`);
  await writeFile(join(nginx.root, "new"), seededBytes(52, 16 * MIB));
  await rename(join(nginx.root, "new"), path);
  const outcome = await running;
  t.true(outcome.status === "ok" || outcome.code === "origin_changed", JSON.stringify(outcome));
  if (outcome.status === "ok") t.is(await sha256Of(cluster.output("h0")), await sha256Of(path));
});

function skip(t: ExecutionContext): void {
  t.log("nginx is not installed");
  t.pass();
}
