/**
 * The one line on standard output by which a long-running command says that it is ready, as JSON, with every
 * address that it bound. Others script against it.
 */
export function printReady(name: string, fields: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ ready: name, ...fields })}\n`);
}
