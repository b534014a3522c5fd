/**
 * Pings on a WebSocket, so that a pulled cable is noticed within two of them instead of after TCP's quarter of an hour.
 */
import type { WebSocket } from "ws";

/** Pings, and ends a connection whose other side did not answer the ping before. */
export function keepAlive(socket: WebSocket, everyMs: number): void {
  let answered = true;
  const timer = setInterval(() => {
    if (!answered) return socket.terminate();
    answered = false;
    socket.ping();
  }, everyMs);
  timer.unref();
  socket.on("pong", () => (answered = true));
  socket.on("close", () => clearInterval(timer));
}
