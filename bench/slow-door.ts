/**
 * A TCP door in front of a server, all connections together at one rate: `node bench/slow-door.ts HOST:PORT BYTES_PER_SECOND`. Prints its
 * port. A process of its own, so that its work is nobody else's event loop.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { realClock } from "../system/clock.ts";
import { Limiter } from "../system/limiter.ts";

const [target, rate] = process.argv.slice(2);
const [host, port] = target.split(":");
const limiter = new Limiter(realClock, Number(rate));

const server = createServer((near) => {
  const far = connect(Number(port), host);
  near.pipe(far);
  for (const socket of [near, far]) socket.on("error", () => undefined);
  near.on("close", () => far.destroy());
  forward(far, near).catch(() => near.destroy());
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${JSON.stringify({ port: (server.address() as { port: number }).port })}\n`));

/** All that the server sends, at the rate, and then the end. */
async function forward(far: Socket, near: Socket): Promise<void> {
  for await (const chunk of far as AsyncIterable<Buffer>) {
    await take(chunk.length);
    if (!near.write(chunk)) await once(near, "drain");
  }
  near.end();
}

async function take(bytes: number): Promise<void> {
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (limiter.tryTake(bytes, resolve)) return;
    await promise;
  }
}
