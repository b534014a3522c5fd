/**
 * Has a supernode connect to this host's peer port, as peers on other hosts would: finds wrong addresses, closed firewalls
 * and unpublished container ports. Drives.
 */
import { isIPv6 } from "node:net";
import { formatHostPort } from "../../system/addresses.ts";
import { requestJson } from "../../system/json-http.ts";
import { tokenHeaders } from "../../system/supernode-token.ts";
import type { ConnectBackAnswer } from "../../torrents/task-api.ts";
import type { Finding } from "./check-host.ts";

/** The supernode itself waits three seconds. */
const TIMEOUT_MS = 6_000;

/** No finding where the supernode is away, or too old to know the check. */
export async function checkConnectBack(
  supernode: string,
  options: { host?: string; port: number; token: string | undefined; signal: AbortSignal },
): Promise<Finding[]> {
  const { token, signal } = options;
  const body = { host: options.host, port: options.port };
  const request = { url: `${supernode}/api/v1/connect-back`, body, headers: tokenHeaders(token), timeoutMs: TIMEOUT_MS, signal };
  const response = await requestJson(request).catch(() => undefined);
  if (response?.status !== 200) return [];
  const { host, port, reachable, failure } = response.body as ConnectBackAnswer;
  const name = "reachable";
  const address = formatHostPort({ host, port });
  if (reachable)
    return [{ name, status: "ok", message: `supernode ${supernode} can connect to ${address}, which is what it tells other peers` }];
  return [
    { name, status: "warning", message: `supernode ${supernode} cannot connect to ${address}: ${failure}`, advice: adviceFor(host, port) },
  ];
}

function adviceFor(host: string, port: number): string {
  const listen = isIPv6(host) ? " Is --peer-listen an IPv4 address? [::] takes both." : "";
  return `Other hosts cannot fetch from this one. Open TCP port ${port} in its firewall; publish it where the daemon is in a container (-p ${port}:${port}), or use the host's network.${listen}`;
}
