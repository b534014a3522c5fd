/**
 * `dfdaemon setup docker|containerd|podman|crio`: writes the engine's configuration so that it pulls through the mirror; shows
 * the difference first, `--undo` takes it back. Wiring.
 */
import { resolve } from "node:path";
import { SkimmerError } from "../../system/errors.ts";
import { type CommandSpec, type ParsedCommand, parseCommand } from "../../system/options.ts";
import { EngineFiles } from "./apply-setup.ts";
import { ENGINES, type Engine, planSetup, type SetupWish } from "./setup-plan.ts";

const DEFAULT_MIRROR = "http://127.0.0.1:65001";
const HOST = /^(_default|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:\d{1,5})?)$/;

export const SETUP_COMMAND: CommandSpec = {
  name: "dfdaemon setup",
  description: "Writes a container engine's configuration so that it pulls through the mirror. What was there is kept.",
  arguments: "<docker|containerd|podman|crio>",
  options: [
    {
      flags: "--registry <HOST,...>",
      help: "registries to pull through the mirror; may be repeated; absent: docker.io",
      parse: (text, previous) => [...((previous as string[] | undefined) ?? []), ...text.split(",").filter((name) => name !== "")],
    },
    { flags: "--mirror <URL>", help: "where the engine reaches the mirror", default: DEFAULT_MIRROR, parse: parseMirror },
    { flags: "--root <DIR>", help: "folder that stands for /, such as a mounted image", default: "/" },
    { flags: "--dry-run", help: "show the difference, and change nothing" },
    { flags: "--undo", help: "put back what was there before" },
    { flags: "--force", help: "undo: also where a file was changed since" },
  ],
};

/** Answers the exit code. Rejects with SkimmerError. */
export async function setupCommand(argv: readonly string[]): Promise<number> {
  const command = await parseCommand(SETUP_COMMAND, argv);
  if (command === undefined) return 0;
  const { options } = command;
  const engine = readEngine(command);
  const files = new EngineFiles({ root: resolve(options.root as string), engine });
  const dryRun = options.dryRun === true;
  if (options.undo === true) {
    say(files.undoDiff());
    if (!dryRun) await files.undo({ force: options.force === true });
    say(dryRun ? "nothing was changed (--dry-run)\n" : `${engine} is as it was before\n`);
    return 0;
  }
  const plan = planSetup(engine, readWish(options), files.read);
  if (plan.files.length === 0) return say(`${engine} pulls through ${options.mirror} already; nothing to change\n`);
  say(files.diff(plan.files));
  if (!dryRun) await files.apply(plan.files);
  return say([dryRun ? "nothing was changed (--dry-run)" : "written", ...plan.notes, ""].join("\n"));
}

function readEngine({ args }: ParsedCommand): Engine {
  const engine = ENGINES.find((name) => name === args[0]);
  if (engine !== undefined && args.length === 1) return engine;
  throw new SkimmerError("bad_request", `"${args.join(" ")}" is no engine that can be set up`, { hint: `One of ${ENGINES.join(", ")}.` });
}

function readWish(options: ParsedCommand["options"]): SetupWish {
  const given = (options.registry as string[] | undefined) ?? ["docker.io"];
  const registries = [...new Set(given.map((text) => text.replace(/^https?:\/\//, "").replace(/\/+$/, "")))];
  const wrong = registries.find((name) => !HOST.test(name));
  if (wrong !== undefined)
    throw new SkimmerError("bad_request", `"${wrong}" is no registry`, { hint: "Write HOST or HOST:PORT, such as ghcr.io." });
  return { mirror: options.mirror as string, registries: registries.map((name) => (name === "registry-1.docker.io" ? "docker.io" : name)) };
}

function parseMirror(text: string): string {
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `http://${text}`);
  if (url === null || url.host === "" || url.pathname !== "/" || url.search !== "")
    throw new SkimmerError("bad_request", `"${text}" is no address of a mirror`, { hint: `Such as ${DEFAULT_MIRROR}.` });
  return url.origin;
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}
