/**
 * Contenders whose peers are small programs of ours: they print their port, wait for `go`, and print their own time.
 */
import { join } from "node:path";
import { startLineProcess } from "../line-process.ts";
import type { Contender, Content } from "./contender.ts";

interface Program {
  readonly name: string;
  readonly command: string;
  readonly env?: Readonly<Record<string, string>>;
  missing(): string | undefined;
  seedArgs(content: Content): readonly string[];
  leechArgs(content: Content, at: { folder: string; peer: string }): readonly string[];
  /** The leech's file below its folder. */
  outputName(content: Content): string;
}

export function lineContender(program: Program): Contender {
  return {
    name: program.name,
    missing: program.missing,
    seed: async (content) => {
      const process = startLineProcess(program.command, program.seedArgs(content), program.env);
      const { port } = await process.line();
      return { pid: process.pid, address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
    },
    leech: async (content, at) => {
      const process = startLineProcess(program.command, program.leechArgs(content, at), program.env);
      await process.line();
      return {
        pid: process.pid,
        path: join(at.folder, program.outputName(content)),
        run: async (onStart) => {
          onStart(process.pid);
          process.go();
          const { seconds } = await process.line();
          return { seconds };
        },
        [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
      };
    },
  };
}
