/**
 * `npm run bench [-- NAME …] [--runs N]`: side-by-side measurements; each verifies what arrived.
 */
import { benchCold } from "./cold.ts";
import { benchOneToOne } from "./one-to-one.ts";

const BENCHES: Readonly<Record<string, (runs: number) => Promise<void>>> = {
  cold: async (runs) => {
    await benchCold({ runs, rate: 20_000_000 });
    await benchCold({ runs, rate: 50_000_000 });
  },
  "one-to-one": (runs) => benchOneToOne(runs),
};

const args = process.argv.slice(2);
const at = args.indexOf("--runs");
const runs = at < 0 ? 5 : Number(args.splice(at, 2)[1]);
for (const name of args.length === 0 ? Object.keys(BENCHES) : args) {
  const bench = BENCHES[name];
  if (bench === undefined) {
    process.stderr.write(`there is no benchmark "${name}"; there are: ${Object.keys(BENCHES).join(", ")}\n`);
    process.exit(2);
  }
  await bench(runs);
}
