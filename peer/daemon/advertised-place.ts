/**
 * `--advertise`: where other hosts reach this daemon's peer port, where a supernode sees another address. Decides.
 */
import { isIP } from "node:net";
import { parseHostPort } from "../../system/addresses.ts";
import { SkimmerError } from "../../system/errors.ts";
import type { OptionSpec } from "../../system/options.ts";

export interface AdvertisedPlace {
  /** An IP address: hand-outs of trackers hold nothing else. */
  readonly host: string;
  /** Absent: the peer port itself. */
  readonly port?: number;
}

export const ADVERTISE_OPTION: OptionSpec = {
  flags: "--advertise <IP[:PORT]>",
  help: "address, and port where it is another one, at which other hosts reach the peer port; absent: what the supernode sees",
  parse: parseAdvertised,
};

/** `10.0.0.7`, `10.0.0.7:7001`, `2001:db8::7` or `[2001:db8::7]:7001`. Throws SkimmerError `bad_request`. */
export function parseAdvertised(text: string): AdvertisedPlace {
  const place = isIP(text) === 0 ? parseHostPort(text) : { host: text };
  if (isIP(place.host) !== 0 && place.host !== "0.0.0.0" && place.host !== "::" && ("port" in place ? place.port > 0 : true)) return place;
  throw new SkimmerError("bad_request", `--advertise: "${text}" is no address of one host`, {
    hint: "Give an IP address, with a port where it differs: 10.0.0.7 or 10.0.0.7:7001.",
  });
}
