/**
 * What each engine's configuration must say so that it pulls through the mirror. Decides: from the files as they are to the
 * files as they shall be. Nothing else in them changes.
 */
import { SkimmerError } from "../../system/errors.ts";
import { planContainerd } from "./containerd-plan.ts";

export type Engine = "docker" | "containerd" | "podman" | "crio";
export const ENGINES: readonly Engine[] = ["docker", "containerd", "podman", "crio"];

export interface SetupWish {
  /** `http://127.0.0.1:65001`. */
  readonly mirror: string;
  /** `docker.io`, `ghcr.io`, `harbor.corp:5000`. */
  readonly registries: readonly string[];
}

/** Text of a file of the machine, by absolute path; undefined: it is not there. */
export type ReadText = (path: string) => string | undefined;

export interface FileText {
  readonly path: string;
  readonly text: string;
}

export interface SetupPlan {
  /** Files as they shall be; those that are so already are left out. */
  readonly files: readonly FileText[];
  /** What is to be done, or known, besides. */
  readonly notes: readonly string[];
}

/** Throws SkimmerError `bad_request` where a file cannot be read as what it is, or the engine cannot do what is wished. */
export function planSetup(engine: Engine, wish: SetupWish, read: ReadText): SetupPlan {
  const plan = PLANNERS[engine](wish, read);
  return { ...plan, files: plan.files.filter(({ path, text }) => read(path) !== text) };
}

const PLANNERS: Readonly<Record<Engine, (wish: SetupWish, read: ReadText) => SetupPlan>> = {
  docker: planDocker,
  containerd: planContainerd,
  podman: (wish) => planContainers(wish, ["podman, buildah and skopeo read it at each pull; nothing needs a restart"]),
  crio: (wish) => planContainers(wish, ["have CRI-O read it: systemctl reload crio"]),
};

const DOCKER_FILE = "/etc/docker/daemon.json";
const CONTAINERS_FILE = "/etc/containers/registries.conf.d/50-skimmer.conf";

function planDocker({ mirror, registries }: SetupWish, read: ReadText): SetupPlan {
  const others = registries.filter((name) => name !== "docker.io");
  if (!registries.includes("docker.io"))
    throw new SkimmerError("bad_request", `docker mirrors docker.io only, not ${others.join(", ")}`, {
      hint: "Use the proxy for other registries: docs/engines/docker.md.",
    });
  const before = read(DOCKER_FILE);
  const fields = parseDaemon(before);
  const mirrors = texts(fields["registry-mirrors"], "registry-mirrors");
  const changed: Record<string, unknown> = { ...fields };
  if (!mirrors.some((url) => sameUrl(url, mirror))) changed["registry-mirrors"] = [mirror, ...mirrors];
  const { protocol, host, hostname } = new URL(mirror);
  const insecure = texts(fields["insecure-registries"], "insecure-registries");
  // docker takes plain http on this machine without being told
  const isLocal = /^(127\.|localhost$|\[::1\]$)/.test(hostname);
  if (protocol === "http:" && !isLocal && !insecure.includes(host)) changed["insecure-registries"] = [...insecure, host];
  const same = before !== undefined && JSON.stringify(changed) === JSON.stringify(fields);
  const text = same ? before : `${JSON.stringify(changed, undefined, indentOf(before))}\n`;
  const notes = ["have docker read it: systemctl reload docker (no container is restarted)"];
  if (others.length > 0) notes.push(`docker mirrors docker.io only; for ${others.join(", ")} use the proxy: docs/engines/docker.md`);
  return { files: [{ path: DOCKER_FILE, text }], notes };
}

function parseDaemon(text: string | undefined): Record<string, unknown> {
  if (text === undefined || text.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // falls through
  }
  throw new SkimmerError("bad_request", `${DOCKER_FILE} is not a JSON object`, {
    hint: "Correct it first; dockerd would not start with it.",
  });
}

function texts(value: unknown, name: string): string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value as string[];
  throw new SkimmerError("bad_request", `${DOCKER_FILE}: ${name} is no list of texts`);
}

function sameUrl(one: string, other: string): boolean {
  return one.replace(/\/+$/, "") === other.replace(/\/+$/, "");
}

function indentOf(text: string | undefined): string {
  return /^([ \t]+)"/m.exec(text ?? "")?.[1] ?? "  ";
}

/** One file of its own: what the machine has otherwise stays untouched. */
function planContainers({ mirror, registries }: SetupWish, notes: readonly string[]): SetupPlan {
  const { host, protocol } = new URL(mirror);
  const blocks = registries.map((name) =>
    [
      "[[registry]]",
      `prefix = "${name}"`,
      `location = "${name}"`,
      "",
      "[[registry.mirror]]",
      `location = "${host}/${name}"`,
      `insecure = ${protocol === "http:"}`,
    ].join("\n"),
  );
  const head = "# Written by dfdaemon setup; dfdaemon setup podman|crio --undo takes it back.";
  return { files: [{ path: CONTAINERS_FILE, text: `${[head, ...blocks].join("\n\n")}\n` }], notes };
}
