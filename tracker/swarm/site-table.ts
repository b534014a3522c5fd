/**
 * Where hosts are: labels that daemons send (IDC, location `a|b|c`), or that a table of networks gives to addresses. Decides.
 * Each different pair of labels has a number, so that a peer's record needs two bytes. Invariant: number 0 is "not known"; at most
 * MOST_SITES, and who comes after that is not known.
 */
import { SkimmerError } from "../../system/errors.ts";
import { readAddress } from "./address-bytes.ts";
import { nearness, type Site, WEIGHTS } from "./peer-score.ts";

export interface Network {
  /** 16 bytes, IPv4 mapped. */
  readonly address: Uint8Array;
  readonly prefixBits: number;
  readonly site: Site;
}

const MOST_SITES = 2000;
/** Rows of scores that are kept: 2 bytes × 2000 sites each. */
const MOST_SCORE_ROWS = 2000;
const MOST_LEVELS = 8;
const MOST_LABEL_LENGTH = 64;
const NOWHERE: Site = { idc: "", location: [] };

export class SiteTable {
  readonly #sites: Site[] = [NOWHERE];
  readonly #numbers = new Map<string, number>();
  readonly #scores = new Map<number, Uint16Array>();
  /** Narrowest first. */
  readonly #networks: readonly { readonly network: Network; readonly number: number }[];

  constructor(networks: readonly Network[] = []) {
    const narrowFirst = [...networks].sort((a, b) => b.prefixBits - a.prefixBits);
    this.#networks = narrowFirst.map((network) => ({ network, number: this.numberOf(network.site) }));
  }

  site(number: number): Site {
    return this.#sites[number] ?? NOWHERE;
  }

  /** By their numbers; the first is "not known". */
  get all(): readonly Site[] {
    return this.#sites;
  }

  /** What nearness to that site adds to a score, by the number of the other site. */
  scoresFrom(number: number): Uint16Array {
    const known = this.#scores.get(number);
    if (known !== undefined && known.length === this.#sites.length) return known;
    const from = this.site(number);
    const scores = Uint16Array.from(this.#sites, (site) => Math.round(nearness(from, site) * WEIGHTS.near));
    if (this.#scores.size >= MOST_SCORE_ROWS) this.#scores.clear();
    this.#scores.set(number, scores);
    return scores;
  }

  /** The number of a pair of labels. */
  numberOf(site: Site): number {
    if (site.idc === "" && site.location.length === 0) return 0;
    const key = `${site.idc}|${site.location.join("|")}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    if (this.#sites.length >= MOST_SITES) return 0;
    this.#numbers.set(key, this.#sites.length);
    return this.#sites.push(site) - 1;
  }

  /** By the table of networks; 0 where none fits. */
  numberFor(address: Uint8Array): number {
    for (const { network, number } of this.#networks) if (contains(network, address)) return number;
    return 0;
  }
}

function contains({ address, prefixBits }: Network, other: Uint8Array): boolean {
  const whole = prefixBits >> 3;
  for (let at = 0; at < whole; at++) if (address[at] !== other[at]) return false;
  const rest = prefixBits & 7;
  return rest === 0 || (address[whole] ^ other[whole]) >> (8 - rest) === 0;
}

/** Labels as they come from outside; what is too long is cut. */
export function readSite(labels: { readonly idc?: string; readonly location?: string }): Site {
  const levels = (labels.location ?? "").split("|", MOST_LEVELS).map(cleanLabel);
  while (levels.at(-1) === "") levels.pop();
  return { idc: cleanLabel(labels.idc ?? ""), location: levels };
}

function cleanLabel(text: string): string {
  return text.trim().toLowerCase().slice(0, MOST_LABEL_LENGTH);
}

/**
 * The table of networks from its parsed YAML: `- {cidr: 10.1.0.0/16, idc: fra1, location: eu|de|fra}`.
 * Throws SkimmerError `bad_request`.
 */
export function parseNetworks(value: unknown, path: string): Network[] {
  const rows = value ?? [];
  if (!Array.isArray(rows)) throw new SkimmerError("bad_request", `${path} must hold a list of networks`, { hint: HINT });
  return rows.map((row: unknown) => parseNetwork(row, path));
}

const HINT = "One a line, such as: - {cidr: 10.1.0.0/16, idc: fra1, location: eu|de|fra}";

function parseNetwork(row: unknown, path: string): Network {
  const fields = (typeof row === "object" && row !== null ? row : {}) as Record<string, unknown>;
  const { cidr, idc = "", location = "" } = fields;
  const match = typeof cidr === "string" ? /^([0-9a-fA-F.:]+)\/(\d{1,3})$/.exec(cidr) : null;
  const address = new Uint8Array(16);
  const kind = match === null ? 0 : readAddress(match[1], address);
  const prefixBits = Number(match?.[2]) + (kind === 4 ? 96 : 0);
  if (kind === 0 || prefixBits > 128 || typeof idc !== "string" || typeof location !== "string")
    throw new SkimmerError("bad_request", `${path}: ${JSON.stringify(row)?.slice(0, 100)} is not a network with labels`, { hint: HINT });
  return { address, prefixBits, site: readSite({ idc, location }) };
}
