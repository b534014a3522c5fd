/**
 * The option by which a command brings its token to a supernode, the same for all commands. Decides, apart from reading the file that it names.
 */
import { SkimmerError } from "./errors.ts";
import type { OptionSpec } from "./options.ts";

// as in options.ts
const { readFileSync } = process.getBuiltinModule("node:fs");
const MOST_LENGTH = 200;

export const TOKEN_OPTION: OptionSpec = {
  flags: "--token <TOKEN>",
  help: "token for the supernode's API; @FILE: what is in that file; absent: none, which does on the supernode's own host",
  parse: parseToken,
};

/** The token itself. Throws SkimmerError `bad_request`. */
function parseToken(text: string): string {
  const token = text.startsWith("@") ? readToken(text.slice(1)) : text.trim();
  if (/^[\x21-\x7e]+$/.test(token) && token.length <= MOST_LENGTH) return token;
  // the text itself is a secret
  throw new SkimmerError("bad_request", "--token is empty, too long, or holds other characters than a token has", {
    hint: "Give what supernode token new printed, or @FILE.",
  });
}

function readToken(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new SkimmerError("bad_request", `cannot read the token in ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** The headers that carry it; none where there is none. */
export function tokenHeaders(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
