/**
 * A view as the stream of its changes leaves it. Decides. Invariant: rows are in the order that was told last.
 */
import type { Delta, Row, View } from "./shapes.ts";

/** The view after the change; rows that no order names are dropped. */
export function applyDelta<F, R extends Row>(view: View<F, R>, delta: Delta<R>): View<F, R> {
  const changed = new Map((delta.rows ?? []).map((row) => [row.key, row]));
  const known = new Map(view.rows.map((row) => [row.key, row]));
  const order = delta.order ?? view.rows.map(({ key }) => key);
  const rows = order.map((key) => changed.get(key) ?? known.get(key)).filter((row) => row !== undefined);
  return { ...view, fields: { ...view.fields, ...delta.fields } as F, rows };
}
