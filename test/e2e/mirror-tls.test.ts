/**
 * A registry whose certificate only this host's configuration knows: the seeder reads it with that host's trust, and for that host only.
 */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { makeCertificate } from "../support/certificates.ts";
import { mirrorArguments, pull, startMirrorPlace } from "../support/mirror-place.ts";
import { runCommand } from "../support/processes.ts";

const MIB = 1024 * 1024;

test("a registry's own authority goes along to the seeder, and is nobody else's trust", async (t) => {
  await using certificate = await makeCertificate();
  await using place = await startMirrorPlace({}, [`    ca: ${certificate.caFile}`], certificate);
  const { registry, cluster } = place;
  const bytes = randomBytes(3 * MIB);
  const { digest } = registry.addBlob("team/app", bytes);
  const path = `/v2/team/app/blobs/${digest}`;
  const knows = await place.start("knows");
  const first = await pull(knows.ready.mirror + path);
  t.true(first.complete && first.body.equals(bytes));
  t.like(first.headers, { "x-skimmer-source": "swarm", "x-skimmer-cache": "miss" });
  // the seeder has it now, and gives it to nobody who would not believe this registry
  const stranger = await cluster.startDaemon("stranger", await mirrorArguments(cluster.folder, registry.base));
  const refused = await pull(stranger.ready.mirror + path);
  t.is(refused.status, 502);
  t.regex(refused.body.toString(), /certificate/);
  // who believes anybody has a swarm of his own
  const careless = await cluster.startDaemon("careless", await mirrorArguments(cluster.folder, registry.base, ["    insecure: true"]));
  const own = await pull(careless.ready.mirror + path);
  t.true(own.complete && own.body.equals(bytes));
  t.is(own.headers["x-skimmer-source"], "swarm");
  t.not(own.headers["x-skimmer-task"], first.headers["x-skimmer-task"]);
  t.is((await pull(stranger.ready.mirror + path)).status, 502);
});

test("a file that holds no certificate is refused at the start, by its name", async (t) => {
  await using place = await startMirrorPlace();
  const file = join(place.cluster.folder, "ca.pem");
  await writeFile(file, "no certificate");
  const args = await mirrorArguments(place.cluster.folder, "https://127.0.0.1:1", [`    ca: ${file}`]);
  const { exitCode, stderr } = await runCommand({ command: "dfdaemon", args: ["--home", place.cluster.home("h0"), ...args] });
  t.not(exitCode, 0);
  t.true(stderr.includes(file), stderr);
});
