/**
 * host:port as people write it. Decides.
 */
import { isIPv6 } from "node:net";
import { SkimmerError } from "./errors.ts";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `[v6]:port` or `:port` (all addresses); port 0 is any free one. Throws SkimmerError `bad_request`. */
export function parseHostPort(text: string): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]*)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new SkimmerError("bad_request", `cannot read the address "${text}"`, {
      hint: "Write it as 0.0.0.0:8002, [::]:8002 or 127.0.0.1:0 (any free port).",
    });
  }
  return { host: match[1] ?? (match[2] || "0.0.0.0"), port };
}

export function formatHostPort({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The host that a process on the same machine dials: the loopback where all addresses were bound. */
export function reachableHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

/** Without the prefix of IPv4 addresses on IPv6 sockets. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:/, "");
}
