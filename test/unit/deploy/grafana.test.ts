/** deploy/grafana/: each metric that a panel asks for is one of docs/metrics.md, which another test compares with the processes. */
import { readFile } from "node:fs/promises";
import test from "ava";

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

const read = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), "utf8");
const dashboard = JSON.parse(await read("deploy/grafana/skimmer.json")) as { readonly panels: readonly Panel[] };
const page = await read("docs/metrics.md");
const rows = [...page.matchAll(/^\| `(\w+)` \| (gauge|counter|histogram) \| (.*) \|$/gm)];
const kinds = new Map(rows.map(([, name, kind]) => [name, kind]));
const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));

test("each metric of the dashboard exists, and is used as what it is", (t) => {
  t.true(queries.length > 20);
  for (const { title, expr } of queries) {
    const names = expr.match(/\b(?:skimmer|process)_\w+/g) ?? [];
    t.true(names.length > 0, title);
    for (const name of names) {
      const plain = name.replace(/_bucket$/, "");
      const kind = kinds.get(plain);
      t.not(kind, undefined, `${title}: ${name}`);
      t.is(kind === "histogram", name !== plain, `${title}: ${name}`);
      const rated = new RegExp(`\\b(rate|increase)\\(${name}\\{`).test(expr);
      t.is(rated, kind !== "gauge", `${title}: ${name} is a ${kind}`);
    }
  }
});

test("each label value that the dashboard asks for is in docs/metrics.md", (t) => {
  for (const { title, expr } of queries)
    for (const [, label, value] of expr.matchAll(/\b(from|role|state|result|protocol)="(\w+)"/g))
      t.true(page.includes(`\`${value}\``) && page.includes(`\`${label}\``), `${title}: ${label}="${value}"`);
});

test("every metric of ours is on the dashboard", (t) => {
  const used = queries.map(({ expr }) => expr).join(" ");
  for (const name of kinds.keys()) t.true(new RegExp(`\\b${name}(_bucket)?\\b`).test(used), name);
});

test("panels have ids of their own, titles, and do not overlap", (t) => {
  const { panels } = dashboard;
  t.is(new Set(panels.map(({ id }) => id)).size, panels.length);
  const cells = new Set<string>();
  for (const { title, gridPos } of panels) {
    t.true(title.length > 0 && gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        t.false(cells.has(`${x} ${y}`), title);
        cells.add(`${x} ${y}`);
      }
  }
});
