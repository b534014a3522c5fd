/**
 * The options of which addresses callers' URLs may lead to, the same for seeder and supernode. Decides.
 */
import type { OptionSpec } from "./options.ts";
import { parseRanges, Reach } from "./reach.ts";

export interface ReachFlags {
  readonly originAllow?: readonly string[];
  readonly originDeny?: readonly string[];
}

export const REACH_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--origin-allow <RANGE,...>",
    help: "addresses that URLs may lead to although they are denied: 192.0.2.0/24, link-local, metadata, loopback, private, all; repeatable; absent: none",
    parse: parseRanges,
  },
  {
    flags: "--origin-deny <RANGE,...>",
    help: "addresses that URLs may not lead to, besides link-local, metadata, and loopback for callers of other hosts; repeatable; absent: none",
    parse: parseRanges,
  },
];

/** What the options come to. */
export function readReach({ originAllow = [], originDeny = [] }: ReachFlags): Reach {
  return new Reach({ allow: originAllow, deny: originDeny });
}
