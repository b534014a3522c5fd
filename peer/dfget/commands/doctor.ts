/** `dfget doctor`: looks for what keeps downloads from working here, and says what to do. Wiring. */

import { checkHost, type Finding } from "../check-host.ts";
import { print, runSubcommand, subcommandSpec } from "../subcommand.ts";

export const DOCTOR_COMMAND = subcommandSpec({
  name: "doctor",
  description:
    "Checks this host: daemon, ports, addresses, disk, supernodes, clock, proxy, registry mirror. Exit code 1 where something is wrong.",
  options: [{ flags: "--image <NAME>", help: "small image to pull through the mirror; absent: hello-world of docker.io" }],
});

const SIGNS: Readonly<Record<Finding["status"], string>> = { ok: "ok  ", warning: "warn", wrong: "FAIL" };

/** Answers the exit code. */
export function doctor(argv: readonly string[]): Promise<number> {
  return runSubcommand(DOCTOR_COMMAND, argv, {
    args: [0, 0],
    run: async (invocation) => {
      const findings = await checkHost(invocation.place, {
        image: invocation.options.image as string | undefined,
        signal: invocation.signal,
      });
      const wrong = findings.some(({ status }) => status === "wrong");
      const lines = findings.flatMap(({ status, name, message, advice }) => [
        `${SIGNS[status]}  ${name}: ${message}`,
        ...(advice === undefined ? [] : [`        ${advice}`]),
      ]);
      print(invocation, { ok: !wrong, findings }, lines);
      return wrong ? 1 : 0;
    },
  });
}
