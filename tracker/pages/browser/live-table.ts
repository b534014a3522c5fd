/**
 * A table that shows a view's rows: rows and cells are kept and changed in place, so that focus and selection stay; its headings sort it, its search
 * and pages are in the page's URL, so that they can be shared and gone back to.
 */
import { byId, make, setText } from "./dom.ts";
import { formatCount } from "./format.ts";
import type { Row } from "./shapes.ts";

export interface Cell<R> {
  /** As in the heading's data-column. */
  readonly column: string;
  readonly show: (cell: HTMLTableCellElement, row: R) => void;
}

export interface TableOptions<R extends Row> {
  readonly cells: readonly Cell<R>[];
  /** What is said where there are no rows. */
  readonly empty: (search: string) => string;
  /** The wanted rows are others. */
  readonly onQuery: () => void;
}

const LIMIT = 50;
const TYPING_MS = 250;
const NAMES = ["search", "sort", "order", "offset"] as const;

export class LiveTable<R extends Row> {
  readonly #options: TableOptions<R>;
  readonly #body = byId<HTMLTableSectionElement>("rows");
  readonly #rows = new Map<string, HTMLTableRowElement>();
  readonly #shown = new Map<string, string>();
  readonly #titles = new Map<string, string>();
  readonly #numbers = new Set<string>();
  #total = 0;

  constructor(options: TableOptions<R>) {
    this.#options = options;
    for (const head of document.querySelectorAll<HTMLTableCellElement>("th[data-column]")) {
      const column = head.dataset.column ?? "";
      this.#titles.set(column, head.textContent.trim());
      if (head.classList.contains("number")) this.#numbers.add(column);
    }
    this.#listenToHeads();
    this.#listenToSearch();
    this.#listenToPager();
    window.addEventListener("popstate", () => this.#changed());
    this.#showQuery();
  }

  /** The query for the view's URL. */
  get query(): string {
    const given = new URLSearchParams(location.search);
    const query = new URLSearchParams({ limit: String(LIMIT) });
    for (const name of NAMES) if (given.has(name)) query.set(name, given.get(name) ?? "");
    return query.toString();
  }

  get search(): string {
    return new URLSearchParams(location.search).get("search") ?? "";
  }

  show(rows: readonly R[], total: number): void {
    const keys = new Set(rows.map(({ key }) => key));
    for (const [key, element] of this.#rows) if (!keys.has(key)) this.#drop(key, element);
    let next = this.#body.firstElementChild;
    for (const row of rows) {
      const element = this.#rows.get(row.key) ?? this.#make(row.key);
      if (element === next) next = next.nextElementSibling;
      else this.#body.insertBefore(element, next);
      this.#fill(element, row);
    }
    this.#total = total;
    const empty = byId("rows-empty");
    empty.hidden = rows.length > 0;
    setText(empty, rows.length > 0 ? "" : this.#options.empty(this.search));
    this.#showPager(rows.length);
  }

  #make(key: string): HTMLTableRowElement {
    const cells = this.#options.cells.map(({ column }) =>
      make("td", {
        role: "cell",
        "data-column": column,
        "data-title": this.#titles.get(column),
        class: this.#numbers.has(column) ? "number" : undefined,
      }),
    );
    const element = make("tr", { role: "row" }, ...cells);
    this.#rows.set(key, element);
    return element;
  }

  #drop(key: string, element: HTMLTableRowElement): void {
    element.remove();
    this.#rows.delete(key);
    this.#shown.delete(key);
  }

  #fill(element: HTMLTableRowElement, row: R): void {
    const text = JSON.stringify(row);
    if (this.#shown.get(row.key) === text) return;
    this.#shown.set(row.key, text);
    for (const [index, { show }] of this.#options.cells.entries()) show(element.cells[index], row);
  }

  #listenToHeads(): void {
    for (const button of document.querySelectorAll<HTMLButtonElement>("th button[data-sort]")) {
      button.addEventListener("click", () => {
        const head = button.closest("th");
        const now = head?.getAttribute("aria-sort");
        const natural = head?.classList.contains("number") || button.dataset.sort === "progress" ? "desc" : "asc";
        const order = now === "ascending" ? "desc" : now === "descending" ? "asc" : natural;
        this.#change({ sort: button.dataset.sort ?? "", order, offset: "" });
      });
    }
  }

  #listenToSearch(): void {
    const form = document.getElementById("search");
    const input = document.getElementById("search-text") as HTMLInputElement | null;
    if (form === null || input === null) return;
    let timer: number | undefined;
    const search = (): void => {
      window.clearTimeout(timer);
      if (input.value.trim() !== this.search) this.#change({ search: input.value.trim(), offset: "" });
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      search();
    });
    input.addEventListener("input", () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(search, TYPING_MS);
    });
  }

  #listenToPager(): void {
    document.getElementById("pager-back")?.addEventListener("click", () => this.#turn(-LIMIT));
    document.getElementById("pager-on")?.addEventListener("click", () => this.#turn(LIMIT));
  }

  #turn(by: number): void {
    const offset = Math.max(0, this.#offset + by);
    this.#change({ offset: offset === 0 ? "" : String(offset) });
  }

  get #offset(): number {
    return Number(new URLSearchParams(location.search).get("offset") ?? 0) || 0;
  }

  /** Empty values leave the URL. */
  #change(values: Readonly<Record<string, string>>): void {
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(values)) {
      if (value === "") url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    history.pushState(null, "", url);
    this.#changed();
  }

  #changed(): void {
    this.#showQuery();
    this.#options.onQuery();
  }

  #showQuery(): void {
    const query = new URLSearchParams(location.search);
    for (const button of document.querySelectorAll<HTMLButtonElement>("th button[data-sort]")) {
      const sorted = query.get("sort") === button.dataset.sort;
      if (sorted) button.closest("th")?.setAttribute("aria-sort", query.get("order") === "desc" ? "descending" : "ascending");
      else button.closest("th")?.removeAttribute("aria-sort");
    }
    const input = document.getElementById("search-text") as HTMLInputElement | null;
    if (input !== null && document.activeElement !== input) input.value = this.search;
  }

  #showPager(count: number): void {
    const pager = document.getElementById("pager");
    if (pager === null) return;
    const offset = this.#offset;
    pager.hidden = offset === 0 && this.#total <= LIMIT;
    byId<HTMLButtonElement>("pager-back").disabled = offset === 0;
    byId<HTMLButtonElement>("pager-on").disabled = offset + count >= this.#total;
    const first = count === 0 ? 0 : offset + 1;
    setText("pager-text", `${formatCount(first)}–${formatCount(offset + count)} of ${formatCount(this.#total)}`);
  }
}
