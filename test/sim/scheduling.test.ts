import test from "ava";
import { seededRandom } from "../support/seeded-random.ts";
import { runSiteSwarm } from "./site-swarm.ts";

const SWARM = { sites: 4, hostsPerSite: 50, pieces: 100 };
/** A site's hosts can send 200 pieces a round among themselves; by chance three quarters of those and of what they get would go over its line. */
const SLOW_LINE = 60;
const NO_LIMIT = 1e9;

for (const seed of [1, 2, 3]) {
  test(`hand-outs by labels keep at least 80 % of the bytes within the site (seed ${seed})`, (t) => {
    const { withinSite, total, rounds, hottest } = runSiteSwarm({
      ...SWARM,
      linePieces: SLOW_LINE,
      labels: true,
      random: seededRandom(seed),
    });
    const share = withinSite / total;
    t.log(`${(share * 100).toFixed(1)} % within the site, ${rounds} rounds, hottest host ${hottest.toFixed(1)} × the mean`);
    // 200 hosts × 100 pieces, but for the one that has them
    t.is(total, 199 * 100);
    t.true(share >= 0.8, `${share}`);
    t.true(hottest <= 4, `hottest ${hottest}`);
  });
}

test("without a slow line the hand-outs alone keep 80 % of the bytes within the site; by chance it is a quarter", (t) => {
  const near = runSiteSwarm({ ...SWARM, linePieces: NO_LIMIT, labels: true, random: seededRandom(4) });
  const random = runSiteSwarm({ ...SWARM, linePieces: NO_LIMIT, labels: false, random: seededRandom(4) });
  t.log(`labels ${(near.withinSite / near.total).toFixed(3)}, random ${(random.withinSite / random.total).toFixed(3)}`);
  t.true(near.withinSite / near.total >= 0.8);
  // 49 of 199 others are at the same site: 24.6 %
  t.true(Math.abs(random.withinSite / random.total - 49 / 199) < 0.06);
});

test("over a slow line, labels get the swarm done sooner", (t) => {
  const [near, random] = [true, false].map((labels) => runSiteSwarm({ ...SWARM, linePieces: SLOW_LINE, labels, random: seededRandom(5) }));
  t.log(`labels ${near.rounds} rounds, random ${random.rounds}`);
  t.true(near.rounds < random.rounds, `${near.rounds} and ${random.rounds}`);
});
