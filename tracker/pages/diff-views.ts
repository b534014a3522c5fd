/**
 * What changed between two views of one page. Decides. Fields and rows are compared by their JSON: they are small, and made anew each time.
 */
import type { Delta, View } from "./browser/shapes.ts";

/** Undefined where nothing changed. */
export function diffViews(before: View, now: View): Delta | undefined {
  const earlier = before.fields as Readonly<Record<string, unknown>>;
  const fields = Object.fromEntries(Object.entries(now.fields).filter(([name, value]) => differs(earlier[name], value)));
  const known = new Map(before.rows.map((row) => [row.key, JSON.stringify(row)]));
  const rows = now.rows.filter((row) => known.get(row.key) !== JSON.stringify(row));
  const order = now.rows.map(({ key }) => key);
  const moved = differs(
    before.rows.map(({ key }) => key),
    order,
  );
  const delta = {
    ...(Object.keys(fields).length > 0 ? { fields } : {}),
    ...(rows.length > 0 ? { rows } : {}),
    ...(moved ? { order } : {}),
  };
  return Object.keys(delta).length === 0 ? undefined : delta;
}

function differs(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) !== JSON.stringify(other);
}
