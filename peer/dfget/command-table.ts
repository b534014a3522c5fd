/**
 * All commands of dfget with their options, for what is made from them: completions, and the test of docs/dfget.md. Decides.
 */
import type { CommandSpec } from "../../system/options.ts";
import { DAEMON_COMMAND } from "../daemon/daemon-command.ts";
import { ADD_COMMAND } from "./commands/add.ts";
import { DOCTOR_COMMAND } from "./commands/doctor.ts";
import { EXPORT_COMMAND } from "./commands/export.ts";
import { IMPORT_COMMAND } from "./commands/import.ts";
import { INFO_COMMAND } from "./commands/info.ts";
import { LIMIT_COMMAND } from "./commands/limit.ts";
import { LS_COMMAND } from "./commands/ls.ts";
import { PREHEAT_COMMAND } from "./commands/preheat.ts";
import { RM_COMMAND } from "./commands/rm.ts";
import { SEED_COMMAND } from "./commands/seed.ts";
import { DFGET_COMMAND } from "./dfget-command.ts";

/** Subcommands by name; the empty one is `dfget URL` itself. */
export const COMMAND_TABLE: Readonly<Record<string, CommandSpec>> = {
  "": DFGET_COMMAND,
  ls: LS_COMMAND,
  rm: RM_COMMAND,
  info: INFO_COMMAND,
  seed: SEED_COMMAND,
  add: ADD_COMMAND,
  import: IMPORT_COMMAND,
  export: EXPORT_COMMAND,
  limit: LIMIT_COMMAND,
  doctor: DOCTOR_COMMAND,
  preheat: PREHEAT_COMMAND,
  daemon: DAEMON_COMMAND,
};
