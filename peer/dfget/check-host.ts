/**
 * The checks of `dfget doctor`: each looks at one thing that keeps downloads from working. Drives; changes nothing.
 */
import { constants } from "node:fs";
import { access, statfs } from "node:fs/promises";
import net from "node:net";
import { dirname } from "node:path";
import { parseHostPort } from "../../system/addresses.ts";
import { requestJson } from "../../system/json-http.ts";
import { tokenHeaders } from "../../system/supernode-token.ts";
import { formatBytes } from "../../system/units.ts";
import type { ApiErrorBody } from "../../torrents/task-api.ts";
import { readSupernode } from "../daemon/check-request.ts";
import type { DaemonInfo } from "../daemon/daemon-api.ts";
import { outsideAddresses } from "../daemon/outside-addresses.ts";
import { checkConnectBack } from "./check-connect-back.ts";
import type { DaemonPlace } from "./daemon-place.ts";
import { isListening } from "./daemon-socket.ts";

export interface Finding {
  readonly name: string;
  readonly status: "ok" | "warning" | "wrong";
  readonly message: string;
  /** What to do. */
  readonly advice?: string;
}

interface Asking {
  readonly info: DaemonInfo | undefined;
  readonly token: string | undefined;
  readonly signal: AbortSignal;
}

const PROBE_TIMEOUT_MS = 3_000;
const MIRROR_TIMEOUT_MS = 40_000;
const DEFAULT_SUPERNODE = "http://127.0.0.1:8002";
const DEFAULT_PEER_PORT = 65002;
const LITTLE_BYTES = 1_000_000_000;
const MOST_SKEW_MS = 60_000;
const MOST_MESSAGE = 500;
const PROXY_VARIABLES = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];

/** All findings, in the order of the checks. Rejects only with the reason of `signal`. */
export async function checkHost(place: DaemonPlace, { image, signal }: { image?: string; signal: AbortSignal }): Promise<Finding[]> {
  const info = await daemonInfo(place, signal);
  const supernodes = place.supernodes ?? info?.supernodes ?? [DEFAULT_SUPERNODE];
  const findings = await Promise.all([
    checkDaemon(place, info),
    checkPort(info),
    checkAddresses(),
    checkDisk(place.paths.home),
    ...supernodes.map((supernode) => checkSupernode(readSupernode(supernode).url, { info, token: place.token, signal })),
    checkProxy(),
    ...(info?.mirror === undefined ? [] : [checkMirror(info.mirror, { image, signal })]),
  ]);
  signal.throwIfAborted();
  return findings.flat();
}

async function daemonInfo({ paths }: DaemonPlace, signal: AbortSignal): Promise<DaemonInfo | undefined> {
  const request = { url: "http://dfdaemon/v1/info", socketPath: paths.socket, timeoutMs: PROBE_TIMEOUT_MS, signal };
  const answer = await requestJson(request).catch(() => undefined);
  return answer?.status === 200 ? (answer.body as DaemonInfo) : undefined;
}

async function checkDaemon({ paths }: DaemonPlace, info: DaemonInfo | undefined): Promise<Finding> {
  if (info !== undefined)
    return { name: "daemon", status: "ok", message: `runs as process ${info.pid}, version ${info.version}, socket ${info.socket}` };
  if (await isListening(paths.socket))
    return {
      name: "daemon",
      status: "wrong",
      message: `something else listens on ${paths.socket}`,
      advice: "End it, or use another --home.",
    };
  return { name: "daemon", status: "ok", message: "none runs; the next dfget starts one" };
}

async function checkPort(info: DaemonInfo | undefined): Promise<Finding> {
  if (info === undefined) {
    const free = await canListen(DEFAULT_PEER_PORT);
    if (free) return { name: "peer port", status: "ok", message: `${DEFAULT_PEER_PORT} is free` };
    const advice = "The daemon then takes any free port; where a firewall is to be opened, give one with dfdaemon --peer-listen.";
    return { name: "peer port", status: "warning", message: `${DEFAULT_PEER_PORT} is taken by another program`, advice };
  }
  const { host, port } = parseHostPort(info.peer);
  if (await canConnect(host, port))
    return { name: "peer port", status: "ok", message: `${port} accepts connections; other hosts need a way through the firewall to it` };
  return {
    name: "peer port",
    status: "wrong",
    message: `${info.peer} accepts no connection`,
    advice: "Look into the daemon's log; restart it.",
  };
}

function checkAddresses(): Finding {
  const addresses = outsideAddresses();
  const alone = addresses.length === 1 && addresses[0] === "127.0.0.1";
  if (!alone) return { name: "addresses", status: "ok", message: addresses.join(", ") };
  const advice = "Peers on other hosts cannot reach this one: connect it, or run the container with the host's network.";
  return { name: "addresses", status: "warning", message: "this host has only its loopback", advice };
}

async function checkDisk(home: string): Promise<Finding> {
  let folder = home;
  while (!(await exists(folder)) && folder !== dirname(folder)) folder = dirname(folder);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(folder);
    const freeBytes = bavail * bsize;
    if (freeBytes >= LITTLE_BYTES) return { name: "disk", status: "ok", message: `${formatBytes(freeBytes)} free for ${home}` };
    const advice = "Free some, bound the store with dfdaemon --cache-size, or choose another --home.";
    return { name: "disk", status: "warning", message: `only ${formatBytes(freeBytes)} free for ${home}`, advice };
  } catch (thrown) {
    return {
      name: "disk",
      status: "wrong",
      message: `${home}: ${(thrown as Error).message}`,
      advice: "Choose another --home, or correct the permission.",
    };
  }
}

/** Is it there, is it one of ours, and does its clock agree? */
async function checkSupernode(url: string, asking: Asking): Promise<Finding[]> {
  const { info, token, signal } = asking;
  const name = `supernode ${url}`;
  const startedMs = performance.now();
  try {
    const { status, headers } = await requestJson({ url: `${url}/healthz`, timeoutMs: PROBE_TIMEOUT_MS, signal });
    const tookMs = Math.round(performance.now() - startedMs);
    // 503: it has no seeder yet
    if (status !== 200 && status !== 503)
      return [{ name, status: "wrong", message: `answers HTTP ${status}`, advice: "Is the address that of a supernode?" }];
    const access = await checkAccess(url, asking);
    const reachable = info === undefined ? [] : await checkConnectBack(url, { ...info.advertised, token, signal });
    return [{ name, status: "ok", message: `answers in ${tookMs} ms` }, ...access, checkClock(name, headers.date), ...reachable];
  } catch (thrown) {
    const { code, message, name: kind } = thrown as NodeJS.ErrnoException;
    const why = kind === "TimeoutError" || kind === "AbortError" ? `no answer within ${PROBE_TIMEOUT_MS / 1000} s` : (code ?? message);
    const advice = "Without a supernode this host reads origins itself. Start one, correct --supernode, or open port 8002.";
    return [{ name, status: "wrong", message: why, advice }];
  }
}

/** Whether this host may register downloads there: asked with a body that is none. */
async function checkAccess(url: string, { token, signal }: Asking): Promise<Finding[]> {
  const request = { url: `${url}/api/v1/tasks`, body: {}, headers: tokenHeaders(token), timeoutMs: PROBE_TIMEOUT_MS, signal };
  const answer = await requestJson(request).catch(() => undefined);
  const name = "access";
  if (answer?.status === 400)
    return [{ name, status: "ok", message: `supernode ${url} takes ${token === undefined ? "this host without a token" : "the token"}` }];
  if (answer?.status !== 401 && answer?.status !== 403) return [];
  const { message = "refused" } = (answer.body as Partial<ApiErrorBody>).error ?? {};
  const advice =
    "A daemon that has its own may be fine; else give --token or SKIMMER_TOKEN with the scope download: see hosts.token in the supernode's data folder.";
  return [{ name, status: "wrong", message: `supernode ${url}: ${message.slice(0, MOST_MESSAGE)}`, advice }];
}

function checkClock(name: string, date: string | undefined): Finding {
  const theirsMs = Date.parse(date ?? "");
  const skewMs = Math.abs(Date.now() - theirsMs);
  if (Number.isNaN(theirsMs)) return { name: "clock", status: "warning", message: `${name} does not tell its time` };
  if (skewMs <= MOST_SKEW_MS) return { name: "clock", status: "ok", message: `agrees with ${name}` };
  const advice = "Set the clock (NTP): expiry of certificates and caches goes by it.";
  return { name: "clock", status: "warning", message: `${Math.round(skewMs / 1000)} s away from that of ${name}`, advice };
}

/** The mirror pulls a tiny image through itself (mirror/self-check.ts). */
async function checkMirror(mirror: string, { image, signal }: { image?: string; signal: AbortSignal }): Promise<Finding> {
  const name = "mirror";
  const query = image === undefined ? "" : `?image=${encodeURIComponent(image)}`;
  try {
    const { body } = await requestJson({ url: `${mirror}/.skimmer/check${query}`, timeoutMs: MIRROR_TIMEOUT_MS, signal });
    const { ok, image: pulled, blobs, bytes, seconds, error, hint } = body as Record<string, unknown>;
    const what = `${String(pulled)} through ${mirror}`;
    if (ok === true)
      return {
        name,
        status: "ok",
        message: `pulled ${what}: ${Number(blobs)} blobs, ${formatBytes(Number(bytes))} in ${Number(seconds)} s`,
      };
    const advice = typeof hint === "string" ? hint : "Look at the daemon's log; is the registry reachable from here?";
    return { name, status: "wrong", message: `cannot pull ${what}: ${String(error)}`, advice };
  } catch (thrown) {
    const advice = "Look at the daemon's log; restart it.";
    return { name, status: "wrong", message: `${mirror} does not answer: ${(thrown as Error).message}`, advice };
  }
}

function checkProxy(): Finding {
  const set = PROXY_VARIABLES.filter((variable) => process.env[variable]);
  if (set.length === 0) return { name: "proxy", status: "ok", message: "none set; origins are read directly" };
  const message = `${set.join(", ")} set: origins are read through it, supernodes and peers are not`;
  return { name: "proxy", status: "ok", message, advice: "A daemon that runs already keeps the variables with which it was started." };
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

function canConnect(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: PROBE_TIMEOUT_MS });
    const end = (good: boolean): void => {
      socket.destroy();
      resolve(good);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
  });
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
