/**
 * Connections for undici that lead only where `reach.ts` allows. Drives.
 *
 * The addresses that a name came to are checked and then connected to, in one step: a name that comes to another address the next time (DNS
 * rebinding) gains nothing, and each redirect makes its own connection. Invariant: no byte is sent to an address that is denied.
 */
import { lookup as lookUp } from "node:dns";
import { lookup as lookUpAll } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { buildConnector, type Dispatcher } from "undici";
import { deniedError, type Reach } from "./reach.ts";

/** Of a request that was never begun. */
const NO_CONTROLLER = null as unknown as Dispatcher.DispatchController;

export interface ConnectGuard {
  readonly reach: Reach;
  /** The caller is on this machine: its loopback may be read for him. */
  readonly loopback: boolean;
  /** `HOST:PORT` that is connected to wherever it leads, and names below it: what this machine's owner set up (S3 endpoints). */
  readonly trusted?: string;
}

/** An undici connector with the guard in front. */
export function guardedConnector(guard: ConnectGuard, options: buildConnector.BuildOptions): buildConnector.connector {
  const open = buildConnector(options);
  const guarded = buildConnector({ ...options, lookup: guardedLookup(guard) } as buildConnector.BuildOptions);
  return (target, done) => {
    if (isTrusted(guard, target)) return open(target, done);
    // an address is not looked up
    if (isLiteral(target.hostname) && !guard.reach.allows(bare(target.hostname), guard)) return done(deniedError(target.hostname), null);
    guarded(target, done);
  };
}

/**
 * An undici interceptor for requests through a proxy, which looks names up itself: denied where the name comes to a denied address here; where
 * it comes to none here, the proxy knows better.
 */
export function proxiedGuard(guard: ConnectGuard): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (request, handler) => {
    check(guard, new URL(String(request.origin))).then(
      () => dispatch(request, handler),
      (error: Error) => handler.onResponseError?.(NO_CONTROLLER, error),
    );
    return true;
  };
}

async function check(guard: ConnectGuard, { hostname, port, protocol }: URL): Promise<void> {
  if (isTrusted(guard, { hostname, port, protocol })) return;
  const host = bare(hostname);
  const found = isLiteral(host) ? [host] : await lookUpAll(host, { all: true }).then(addressesOf, () => []);
  if (!found.every((address) => guard.reach.allows(address, guard))) throw deniedError(host);
}

function addressesOf(found: readonly { readonly address: string }[]): string[] {
  return found.map(({ address }) => address);
}

function guardedLookup(guard: ConnectGuard): LookupFunction {
  return (hostname, options, done) => {
    lookUp(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, "", 0);
      const allowed = found.filter(({ address }) => guard.reach.allows(address, guard));
      if (allowed.length === 0) return done(deniedError(hostname), "", 0);
      if (options.all === true) return done(null, allowed);
      done(null, allowed[0].address, allowed[0].family);
    });
  };
}

function isTrusted({ trusted }: ConnectGuard, target: { hostname: string; port: string; protocol: string }): boolean {
  if (trusted === undefined) return false;
  const port = target.port || (target.protocol === "https:" ? "443" : "80");
  const place = `${target.hostname}:${port}`;
  return place === trusted || place.endsWith(`.${trusted}`);
}

function isLiteral(hostname: string): boolean {
  return isIP(bare(hostname)) !== 0;
}

/** An IPv6 address without the brackets of a URL. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}
