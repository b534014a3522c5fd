/**
 * Reading of `WWW-Authenticate` (RFC 9110 11.6.1), the part that registries use. Decides; a stranger wrote the header.
 */

export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

const MOST_LENGTH = 8192;
const MOST_ITEMS = 100;
/** A scheme, or a parameter with a quoted or a plain value. */
const ITEM = /[\s,]*([!#$%&'*+.^`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;

/** The challenges in the order in which they came; what cannot be read ends the list. */
export function parseChallenges(header: string | readonly string[] | undefined): Challenge[] {
  const text = (typeof header === "string" ? header : (header ?? []).join(", ")).slice(0, MOST_LENGTH);
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  const item = new RegExp(ITEM);
  for (let count = 0; count < MOST_ITEMS; count++) {
    const match = item.exec(text);
    if (match === null) break;
    const [, name, quoted, plain] = match;
    const value = quoted?.replace(/\\(.)/g, "$1") ?? plain;
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: Object.create(null) as Record<string, string> });
    else if (challenges.length > 0) challenges[challenges.length - 1].parameters[name.toLowerCase()] = value;
  }
  return challenges;
}

/** The one that we can answer: Bearer with a realm before Basic, as docker does. */
export function chooseChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  const bearer = challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.realm !== undefined);
  return bearer ?? challenges.find(({ scheme }) => scheme === "basic");
}
