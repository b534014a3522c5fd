/**
 * What several tables have in their cells: bars, chips, names with something beneath. Each function changes what is there already.
 */
import { make, setAttributes, setText } from "./dom.ts";
import { formatBytes, formatShare } from "./format.ts";

interface From {
  readonly origin: number;
  readonly seeder: number;
  readonly peers: number;
}

/** From the best to the worst place to get bytes from. */
const SOURCES = [
  ["peers", "other hosts"],
  ["seeder", "seeders"],
  ["origin", "origin"],
] as const;

/** A name, as a link where there is one, and smaller text beneath. */
export function showName(cell: Element, { name, note, href }: { name: string; note: string; href?: string }): void {
  const first = cell.querySelector(".name") ?? cell.appendChild(make(href === undefined ? "span" : "a", { class: "name" }));
  setText(first, name);
  if (href !== undefined && first.getAttribute("href") !== href) first.setAttribute("href", href);
  const second = cell.querySelector(".note") ?? cell.appendChild(make("span", { class: "note" }));
  setText(second, note);
}

/** A bar with its share in words. */
export function showProgress(cell: Element, share: number | null): void {
  const bar = cell.querySelector<HTMLProgressElement>("progress") ?? cell.appendChild(make("progress", { max: 1, "aria-hidden": "true" }));
  const text = cell.querySelector(".share") ?? cell.appendChild(make("span", { class: "share" }));
  bar.value = share ?? 0;
  bar.classList.toggle("done", share === 1);
  setText(text, share === null ? "unknown" : formatShare(share));
}

export function showChip(cell: Element, { text, kind }: { text: string; kind: string }): void {
  const chip = cell.querySelector(".chip") ?? cell.appendChild(make("span", { class: "chip" }));
  setText(chip, text);
  if (chip.getAttribute("data-kind") !== kind) chip.setAttribute("data-kind", kind);
}

/** A bar in three parts: where bytes came from. */
export function showParts(bar: Element, from: From | null): void {
  const all = from === null ? 0 : from.origin + from.seeder + from.peers;
  setAttributes(bar, { role: "img", "aria-label": from === null ? "not told" : describeParts(from) });
  setAttributes(bar, { title: from === null ? undefined : describeParts(from) });
  bar.classList.add("parts");
  for (const [name] of SOURCES) {
    const part = bar.querySelector<HTMLElement>(`.${name}`) ?? bar.appendChild(make("span", { class: name }));
    const share = all === 0 || from === null ? 0 : from[name] / all;
    part.hidden = share === 0;
    part.style.flexGrow = String(share);
  }
}

/** `1.2 GB from other hosts, 300 MB from seeders`. */
export function describeParts(from: From): string {
  const parts = SOURCES.filter(([name]) => from[name] > 0).map(([name, words]) => `${formatBytes(from[name])} from ${words}`);
  return parts.length === 0 ? "nothing yet" : parts.join(", ");
}

/** A place as its labels say it. */
export function placeText({ idc, location }: { idc: string; location: string }): string {
  return [idc, location.replaceAll("|", " › ")].filter((text) => text !== "").join(" · ") || "–";
}
