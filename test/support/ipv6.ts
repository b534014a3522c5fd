/** Whether this machine speaks IPv6 with itself: tests of it are left out where it does not. */
import { networkInterfaces } from "node:os";

export function hasIPv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));
}
