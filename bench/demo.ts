/**
 * `npm run demo`: one slow origin, eight hosts that want the same file at once. Prints who got how much from whom, and the
 * time against the ideal (the file's length over the origin's rate: nobody can be faster than the first copy).
 */

import { formatBytes } from "../system/units.ts";
import { Cluster, sha256Of } from "../test/support/cluster.ts";
import { startOriginProcess } from "./origin-process.ts";

const LENGTH_BYTES = 64_000_000;
const RATE = 20_000_000;
const HOSTS = 8;

const origin = await startOriginProcess({ length: String(LENGTH_BYTES), rate: String(RATE) });
console.log(`origin: ${formatBytes(LENGTH_BYTES)} at ${formatBytes(RATE)}/s. Starting supernode, seeder and ${HOSTS} host daemons …`);
const cluster = await Cluster.start({ daemons: HOSTS });
const startedMs = performance.now();
const outcomes = await Promise.all(
  Array.from({ length: HOSTS }, async (_, index) => {
    const outcome = await cluster.dfget(`h${index}`, origin.url);
    return { ...outcome, doneMs: performance.now() - startedMs };
  }),
);
const sums = await Promise.all(outcomes.map((_, index) => sha256Of(cluster.output(`h${index}`))));
await cluster[Symbol.asyncDispose]();
const sentBytes = await origin.stop();

console.log("\nhost   from seeder   from peers   from origin   seconds   sha256");
for (const [index, outcome] of outcomes.entries()) {
  const cells = [outcome.from?.seeder, outcome.from?.peers, outcome.from?.origin].map((bytes) => formatBytes(bytes ?? 0).padStart(12));
  console.log(
    `${String(index + 1).padEnd(5)}${cells.join(" ")}${(outcome.doneMs / 1000).toFixed(2).padStart(12)}   ${sums[index] === origin.sha256 ? "right" : "WRONG"}`,
  );
}
const seederBytes = outcomes.reduce((sum, { from }) => sum + (from?.seeder ?? 0), 0);
const lastSeconds = Math.max(...outcomes.map(({ doneMs }) => doneMs)) / 1000;
const idealSeconds = LENGTH_BYTES / RATE;
console.log(
  `\norigin sent ${(sentBytes / LENGTH_BYTES).toFixed(2)} copies, the seeder ${(seederBytes / LENGTH_BYTES).toFixed(2)}, for ${HOSTS} hosts`,
);
console.log(
  `last host after ${lastSeconds.toFixed(2)} s; ideal ${idealSeconds.toFixed(2)} s (${(lastSeconds / idealSeconds).toFixed(2)} ×); each for itself ${(idealSeconds * HOSTS).toFixed(0)} s`,
);
process.exitCode = sums.every((sum) => sum === origin.sha256) ? 0 : 1;
