/**
 * What a page asks for: search, order and page of a table, from the query of its URL. Decides; what is malformed becomes the default, since these
 * URLs are typed and shared by people.
 */

export interface PageQuery {
  /** Lower case; empty: everything. */
  readonly search: string;
  readonly sort: string;
  readonly descending: boolean;
  readonly offset: number;
  readonly limit: number;
}

const MOST_SEARCH_LENGTH = 200;
const DEFAULT_LIMIT = 50;
const MOST_LIMIT = 200;
const MOST_OFFSET = 1_000_000;

/** `sorts`: the orders that there are, the default one first; those that begin with a dash are descending by nature. */
export function readPageQuery(query: Readonly<Record<string, unknown>>, sorts: readonly string[]): PageQuery {
  const natural = sorts.find((sort) => sort.replace("-", "") === query.sort) ?? sorts[0];
  const descending = query.order === "asc" ? false : query.order === "desc" ? true : natural.startsWith("-");
  return {
    search: typeof query.search === "string" ? query.search.trim().toLowerCase().slice(0, MOST_SEARCH_LENGTH) : "",
    sort: natural.replace("-", ""),
    descending,
    offset: readCount(query.offset, 0, MOST_OFFSET),
    limit: Math.max(1, readCount(query.limit, DEFAULT_LIMIT, MOST_LIMIT)),
  };
}

/** The same text for queries that mean the same. */
export function queryKey({ search, sort, descending, offset, limit }: PageQuery): string {
  return JSON.stringify([search, sort, descending, offset, limit]);
}

function readCount(value: unknown, fallback: number, most: number): number {
  return typeof value === "string" && /^\d{1,9}$/.test(value) ? Math.min(most, Number(value)) : fallback;
}
