/** `dfget limit`: shows and changes the rates of this host, in force at once. Wiring. */
import { formatRate, parseRate } from "../../../system/units.ts";
import { parseClassRate } from "../../daemon/check-request.ts";
import type { HostLimits } from "../../daemon/daemon-api.ts";
import { callDaemon } from "../call-daemon.ts";
import type { DaemonPlace } from "../daemon-place.ts";
import { print, runSubcommand, subcommandSpec } from "../subcommand.ts";

export const LIMIT_COMMAND = subcommandSpec({
  name: "limit",
  description: "Shows the rates of this host's daemon; with options, changes them at once, until the daemon ends.",
  options: [
    { flags: "--download <RATE>", help: "bytes per second of all downloads together, e.g. 50MB; 0: unlimited", parse: parseRate },
    { flags: "--upload <RATE>", help: "bytes per second to all peers together; 0: unlimited", parse: parseRate },
    {
      flags: "--priority <LEVEL=RATE,...>",
      help: "bytes per second of all downloads of a priority (0 to 6, high, normal, low) together; 0: unlimited; may be repeated",
      parse: parseClassRate,
    },
    { flags: "--back-to-source <RATE>", help: "bytes per second from all origins together; 0: unlimited", parse: parseRate },
  ],
  after: "For good: upload-limit, download-limit, priority-limit and origin-limit in dfdaemon.yaml (docs/configuration.md).",
});

/** Answers the exit code. */
export function limit(argv: readonly string[]): Promise<number> {
  return runSubcommand(LIMIT_COMMAND, argv, {
    args: [0, 0],
    run: async (invocation) => {
      const { download, upload, backToSource } = invocation.options as HostLimits;
      const classes = invocation.options.priority as ReadonlyMap<number, number> | undefined;
      const change: HostLimits = { download, upload, backToSource, priorities: classes && Object.fromEntries(classes) };
      const asked = Object.values(change).some((rate) => rate !== undefined);
      const now = await callDaemon<Required<HostLimits>>({
        ...invocation,
        method: asked ? "PUT" : "GET",
        path: "/v1/limits",
        body: asked ? change : undefined,
      });
      const text = (rate: number): string => (rate === 0 ? "unlimited" : formatRate(rate));
      print(invocation, now, [
        `download: ${text(now.download)}`,
        `upload: ${text(now.upload)}`,
        `back to source: ${text(now.backToSource)}`,
        ...Object.entries(now.priorities).map(([priority, rate]) => `downloads of priority ${priority}: ${text(rate)}`),
      ]);
      return 0;
    },
  });
}

/** `--totallimit`: the rate of all downloads of this host. */
export async function setTotalLimit(place: DaemonPlace, options: { downloadBytesPerSecond: number; signal: AbortSignal }): Promise<void> {
  const body = { download: options.downloadBytesPerSecond };
  await callDaemon({ place, signal: options.signal, method: "PUT", path: "/v1/limits", body });
}
