/**
 * An IPv6 socket for the DHT package, which knows IPv4 only: it hears and names stand-ins (stand-ins.ts, dht6-words.ts). Drives.
 * What is addressed to nobody known is not sent, as a datagram may be lost.
 */
import type dgram from "node:dgram";
import { asIfV4, asV6 } from "./dht6-words.ts";
import type { StandIns } from "./stand-ins.ts";

/** Whose answers are read; the longest not spoken to is forgotten. */
const MOST_ASKED = 2000;

type OnMessage = (datagram: Buffer, sender: dgram.RemoteInfo) => void;

/** `socket`: a guarded one of IPv6. */
export function dht6Socket(socket: dgram.Socket, standIns: StandIns): dgram.Socket {
  const on = socket.on.bind(socket);
  const send = socket.send.bind(socket);
  const asked = new Set<string>();
  const hear =
    (handle: OnMessage): OnMessage =>
    (datagram, sender) => {
      const address = standIns.standInFor(sender.address);
      if (address === undefined) return;
      const words = asIfV4(datagram, { standIns, asked: asked.has(`${address} ${sender.port}`) });
      handle(words, { ...sender, address, family: "IPv4" });
    };
  const say = (bytes: Buffer, start: number, length: number, port: number, standIn: string, done?: () => void): void => {
    const host = standIns.hostOf(standIn);
    if (host === undefined) return done?.();
    const place = `${standIn} ${port}`;
    asked.delete(place);
    asked.add(place);
    if (asked.size > MOST_ASKED) asked.delete(asked.keys().next().value as string);
    const datagram = asV6(bytes.subarray(start, start + length), standIns);
    send(datagram, 0, datagram.length, port, host, done);
  };
  const wrap = (name: string, handle: (...args: never[]) => void): dgram.Socket =>
    on(name, (name === "message" ? hear(handle as OnMessage) : handle) as () => void);
  return Object.assign(socket, { on: wrap, send: say });
}
