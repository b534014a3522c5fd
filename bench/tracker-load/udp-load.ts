/**
 * UDP announces from a few sockets. A datagram that was lost is noticed by a timer and replaced, so that the number on the way stays.
 */
import dgram from "node:dgram";
import { once } from "node:events";
import { UDP_ANSWER_BYTES, udpAnnounces } from "./announces.ts";
import type { Load, LoadOptions } from "./load.ts";
import { paced } from "./paced.ts";

const SOCKETS = 4;
const ON_THE_WAY = 24;
const LOST_AFTER_MS = 200;
const CONNECT_LIMIT_MS = 3000;

/** Connects all sockets, then announces. */
export async function startUdp(options: LoadOptions): Promise<Load> {
  const packets = udpAnnounces();
  const sentMs = new Float64Array(packets.length);
  let next = 0;
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => connect(options.port)));
  const announce = ({ socket, id }: { socket: dgram.Socket; id: Buffer }): void => {
    const index = next++ % packets.length;
    const packet = packets[index];
    id.copy(packet);
    packet.writeUInt32BE(index, 12);
    sentMs[index] = performance.now();
    socket.send(packet);
  };
  const lastMs = new Float64Array(SOCKETS);
  for (const [number, each] of sockets.entries()) {
    each.socket.on("message", (answer) => {
      const nowMs = performance.now();
      lastMs[number] = nowMs;
      const index = answer.readUInt32BE(4);
      if (answer.length === UDP_ANSWER_BYTES || answer.readUInt32BE(0) === 1)
        options.onAnswer(nowMs - (sentMs[index] ?? nowMs), answer.length - 20);
      if (options.rate === 0) announce(each);
    });
  }
  let turn = 0;
  const pace = options.rate > 0 ? paced(options.rate, () => announce(sockets[turn++ % SOCKETS])) : undefined;
  const fill = (number: number): void => {
    for (let count = 0; count < ON_THE_WAY; count++) announce(sockets[number]);
  };
  if (options.rate === 0) for (let number = 0; number < SOCKETS; number++) fill(number);
  const lost = setInterval(() => {
    const nowMs = performance.now();
    for (let number = 0; number < SOCKETS && options.rate === 0; number++) if (nowMs - lastMs[number] > LOST_AFTER_MS) fill(number);
  }, LOST_AFTER_MS);
  return {
    close: () => {
      pause(lost, pace);
      for (const { socket } of sockets) socket.close();
    },
  };
}

function pause(lost: NodeJS.Timeout, pace: { close(): void } | undefined): void {
  clearInterval(lost);
  pace?.close();
}

async function connect(port: number): Promise<{ socket: dgram.Socket; id: Buffer }> {
  const socket = dgram.createSocket("udp4");
  socket.on("error", () => undefined);
  socket.connect(port, "127.0.0.1");
  await once(socket, "connect");
  const request = Buffer.from("0000041727101980" + "00000000" + "01020304", "hex");
  socket.send(request);
  const [answer] = (await once(socket, "message", { signal: AbortSignal.timeout(CONNECT_LIMIT_MS) })) as [Buffer];
  return { socket, id: Buffer.from(answer.subarray(8, 16)) };
}
