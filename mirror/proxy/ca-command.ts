/**
 * `dfdaemon ca init|show`: the certificate authority with which the proxy opens TLS, where that is wanted. Wiring.
 */
import { existsSync, readFileSync } from "node:fs";
import { readPaths, SHARED_OPTIONS } from "../../peer/daemon/shared-options.ts";
import { SkimmerError } from "../../system/errors.ts";
import { type CommandSpec, parseCommand } from "../../system/options.ts";
import { authorityPaths } from "./authority-paths.ts";

export const CA_COMMAND: CommandSpec = {
  name: "dfdaemon ca",
  description: "Makes or shows the certificate authority with which the proxy opens TLS of the hosts in proxy: intercept.",
  arguments: "<init|show>",
  options: [
    ...SHARED_OPTIONS.filter(({ flags }) => flags.startsWith("--home")),
    { flags: "--force", help: "init: replace the authority that is there; everybody has to trust the new one" },
  ],
};

/** Answers the exit code. Rejects with SkimmerError. */
export async function caCommand(argv: readonly string[]): Promise<number> {
  const command = await parseCommand(CA_COMMAND, argv);
  if (command === undefined) return 0;
  const [action = "", ...more] = command.args;
  if (more.length > 0 || !["init", "show"].includes(action))
    throw new SkimmerError("bad_request", `"${[action, ...more].join(" ")}" is nothing that dfdaemon ca does`, {
      hint: "dfdaemon ca init, or ca show.",
    });
  const paths = authorityPaths(readPaths(command.options).home);
  if (action === "show") return show(paths.certificate);
  const { initAuthority } = await import("./certificate-authority.ts");
  const certificate = await initAuthority(paths, { replace: command.options.force === true, nowMs: Date.now() });
  process.stdout.write(`${howTo(paths.certificate, certificate.notAfter)}\n`);
  return 0;
}

function show(path: string): number {
  if (!existsSync(path)) throw new SkimmerError("not_found", `there is no ${path}`, { hint: "Make one with dfdaemon ca init." });
  process.stdout.write(readFileSync(path, "utf8"));
  return 0;
}

function howTo(path: string, until: Date): string {
  return [
    `Made ${path}, valid until ${until.toISOString().slice(0, 10)}. Its key stays beside it, for this user only.`,
    "Have those trust it that use the proxy:",
    `  docker:      cp ${path} /etc/docker/certs.d/HOST/ca.crt`,
    `  containerd:  ca = "${path}" in certs.d/HOST/hosts.toml`,
    `  podman, CRI-O, skopeo:  cp ${path} /etc/containers/certs.d/HOST/ca.crt`,
    `  the whole machine (Debian):  cp ${path} /usr/local/share/ca-certificates/skimmer.crt && update-ca-certificates`,
    "Name the hosts to open under proxy: intercept in the file of --mirror-config, and restart dfdaemon.",
  ].join("\n");
}
