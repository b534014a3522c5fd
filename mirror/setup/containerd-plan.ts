/**
 * containerd: a `hosts.toml` for each registry, and in `config.toml` the folder where the Kubernetes part (CRI) looks for them.
 * Decides. TOML is read by a parser and changed as text, so that comments and order stay.
 */
import { parse } from "smol-toml";
import { SkimmerError } from "../../system/errors.ts";
import type { FileText, ReadText, SetupPlan, SetupWish } from "./setup-plan.ts";

const CONFIG_FILE = "/etc/containerd/config.toml";
const HOSTS_FOLDER = "/etc/containerd/certs.d";
/** The plugin that pulls for Kubernetes, by version of the file. */
const PLUGINS: Readonly<Record<number, string>> = { 2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.images" };

type Table = Record<string, unknown>;

/** Throws SkimmerError `bad_request`. */
export function planContainerd({ mirror, registries }: SetupWish, read: ReadText): SetupPlan {
  const config = planConfig(read(CONFIG_FILE));
  const hosts = registries.map((name) => hostsFile({ name, mirror, folder: config.folder, read }));
  const files = config.text === undefined ? hosts : [...hosts, { path: CONFIG_FILE, text: config.text }];
  return { files, notes: config.notes };
}

function planConfig(before: string | undefined): { folder: string; text: string | undefined; notes: string[] } {
  const value = `"${HOSTS_FOLDER}"`;
  const restart = "have containerd read it: systemctl restart containerd (containers go on); hosts.toml alone needs none";
  if (before === undefined || before.trim() === "") {
    const text = `version = 2\n\n[plugins."${PLUGINS[2]}".registry]\n  config_path = ${value}\n`;
    return { folder: HOSTS_FOLDER, text, notes: [restart] };
  }
  const root = readToml(before, CONFIG_FILE);
  const plugin = PLUGINS[Number(root.version ?? 1)];
  if (plugin === undefined) {
    const note = `${CONFIG_FILE} is of version 1, which knows no hosts.toml for Kubernetes; ctr --hosts-dir and nerdctl read them. containerd config migrate makes it newer.`;
    return { folder: HOSTS_FOLDER, text: undefined, notes: [note] };
  }
  const registry = table(table(table(root.plugins)[plugin]).registry);
  if (Object.keys(table(registry.mirrors)).length > 0 || Object.keys(table(registry.configs)).length > 0)
    throw new SkimmerError("bad_request", `${CONFIG_FILE} has registry.mirrors or registry.configs, which exclude hosts.toml`, {
      hint: "Move them to hosts.toml files first: github.com/containerd/containerd, docs/hosts.md.",
    });
  const known = typeof registry.config_path === "string" ? registry.config_path : "";
  if (known !== "")
    return { folder: known.split(":", 1)[0], text: undefined, notes: ["hosts.toml is read at each pull; nothing needs a restart"] };
  const text = setConfigPath(before, plugin, value);
  const after = table(table(table(readToml(text, CONFIG_FILE).plugins)[plugin]).registry).config_path;
  if (after !== HOSTS_FOLDER)
    throw new SkimmerError("bad_request", `${CONFIG_FILE} is written in a way that cannot be changed here`, {
      hint: `Set config_path = ${value} in plugins."${plugin}".registry by hand.`,
    });
  return { folder: HOSTS_FOLDER, text, notes: [restart] };
}

/** Sets it in the registry's table, which is made where there is none. */
function setConfigPath(text: string, plugin: string, value: string): string {
  const lines = text.split("\n");
  const name = plugin.replaceAll(".", "\\.");
  const header = new RegExp(`^\\s*\\[\\s*plugins\\s*\\.\\s*["']${name}["']\\s*\\.\\s*registry\\s*\\]`);
  const at = lines.findIndex((line) => header.test(line));
  if (at < 0) return `${text.replace(/\n*$/, "\n")}\n[plugins."${plugin}".registry]\n  config_path = ${value}\n`;
  const next = lines.findIndex((line, index) => index > at && /^\s*\[/.test(line));
  const end = next < 0 ? lines.length : next;
  const old = lines.findIndex((line, index) => index > at && index < end && /^\s*config_path\s*=/.test(line));
  const indent = /^\s*/.exec(lines[at])?.[0] ?? "";
  if (old >= 0) lines[old] = lines[old].replace(/=.*$/, `= ${value}`);
  else lines.splice(at + 1, 0, `${indent}  config_path = ${value}`);
  return lines.join("\n");
}

/** The mirror comes before other hosts: they are asked in their order. */
function hostsFile({ name, mirror, folder, read }: { name: string; mirror: string; folder: string; read: ReadText }): FileText {
  const path = `${folder}/${name}/hosts.toml`;
  const block = [`[host."${mirror}"]`, '  capabilities = ["pull", "resolve"]'];
  const before = read(path);
  if (before === undefined || before.trim() === "") {
    const server = name === "_default" ? [] : [`server = "https://${name === "docker.io" ? "registry-1.docker.io" : name}"`, ""];
    return { path, text: `${[...server, ...block].join("\n")}\n` };
  }
  const hosts = table(readToml(before, path).host);
  if (Object.keys(hosts).some((url) => url.replace(/\/+$/, "") === mirror)) return { path, text: before };
  const lines = before.split("\n");
  const first = lines.findIndex((line) => /^\s*\[\s*host\b/.test(line));
  if (first < 0) return { path, text: `${before.replace(/\n*$/, "\n")}\n${block.join("\n")}\n` };
  lines.splice(first, 0, ...block, "");
  return { path, text: lines.join("\n") };
}

function readToml(text: string, path: string): Table {
  try {
    return parse(text);
  } catch (cause) {
    throw new SkimmerError("bad_request", `${path} is not TOML: ${(cause as Error).message.split("\n", 1)[0]}`, { cause });
  }
}

function table(value: unknown): Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Table) : {};
}
