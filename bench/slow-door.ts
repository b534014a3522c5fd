/**
 * A TCP door in front of a server, all connections together at one rate: `node bench/slow-door.ts HOST:PORT BYTES_PER_SECOND`. Prints its
 * port. A process of its own, so that its work is nobody else's event loop.
 */
import { connect, createServer, type Socket } from "node:net";
import { realClock } from "../system/clock.ts";
import { Limiter } from "../system/limiter.ts";

const [target, rate] = process.argv.slice(2);
const [host, port] = target.split(":");
const limiter = new Limiter(realClock, Number(rate));

const server = createServer((near) => {
  const far = connect(Number(port), host);
  near.pipe(far);
  far.on("data", (chunk) => void forward(far, near, chunk));
  far.on("end", () => near.end());
  for (const socket of [near, far]) socket.on("error", () => undefined).on("close", () => (near.destroy(), far.destroy()));
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${JSON.stringify({ port: (server.address() as { port: number }).port })}\n`));

async function forward(far: Socket, near: Socket, chunk: Buffer): Promise<void> {
  far.pause();
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (limiter.tryTake(chunk.length, resolve)) break;
    await promise;
  }
  if (near.write(chunk)) far.resume();
  else near.once("drain", () => far.resume());
}
