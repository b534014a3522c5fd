/**
 * The addresses under which others may reach this host. Drives: asks the system for its interfaces.
 */
import { networkInterfaces } from "node:os";

const MOST = 8;

/** Global and private addresses of all interfaces, IPv4 first; the loopback where there is no other. */
export function outsideAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  // link-local ones need the interface's name beside them
  const usable = all.filter(({ internal, address }) => !internal && !/^(fe80:|169\.254\.)/i.test(address));
  const sorted = usable.sort((a, b) => a.family.localeCompare(b.family)).map(({ address }) => address);
  return sorted.length === 0 ? ["127.0.0.1"] : sorted.slice(0, MOST);
}
