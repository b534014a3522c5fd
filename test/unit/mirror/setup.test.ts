/** `dfdaemon setup`: what is written for each engine, and that it is taken back. */

import { existsSync } from "node:fs";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { parse } from "smol-toml";
import { EngineFiles } from "../../../mirror/setup/apply-setup.ts";
import { planSetup, type SetupWish } from "../../../mirror/setup/setup-plan.ts";
import { SkimmerError } from "../../../system/errors.ts";
import { temporaryFolder } from "../../support/folders.ts";

const WISH: SetupWish = { mirror: "http://127.0.0.1:65001", registries: ["docker.io"] };
const HUB_HOSTS = "/etc/containerd/certs.d/docker.io/hosts.toml";
const CONFIG = "/etc/containerd/config.toml";
const reader = (files: Record<string, string>) => (path: string) => files[path];

test("docker: the mirror is added to what is there, once; plain http elsewhere is allowed for it", (t) => {
  const path = "/etc/docker/daemon.json";
  const fresh = planSetup("docker", WISH, reader({}));
  t.deepEqual(JSON.parse(fresh.files[0].text), { "registry-mirrors": ["http://127.0.0.1:65001"] });
  const before = '{\n    "debug": true,\n    "registry-mirrors": ["http://other"]\n}\n';
  const changed = planSetup("docker", WISH, reader({ [path]: before })).files[0].text;
  t.deepEqual(JSON.parse(changed), { debug: true, "registry-mirrors": ["http://127.0.0.1:65001", "http://other"] });
  t.regex(changed, /^ {4}"debug"/m);
  t.deepEqual(planSetup("docker", WISH, reader({ [path]: changed })).files, []);
  const far = planSetup("docker", { ...WISH, mirror: "http://10.0.0.1:65001" }, reader({})).files[0].text;
  t.deepEqual(JSON.parse(far), { "registry-mirrors": ["http://10.0.0.1:65001"], "insecure-registries": ["10.0.0.1:65001"] });
  t.throws(() => planSetup("docker", WISH, reader({ [path]: "{broken" })), { instanceOf: SkimmerError });
  t.throws(() => planSetup("docker", { ...WISH, registries: ["ghcr.io"] }, reader({})), { instanceOf: SkimmerError });
});

test("containerd: hosts.toml for each registry; config.toml keeps its comments and learns config_path", (t) => {
  const wish = { ...WISH, registries: ["docker.io", "ghcr.io"] };
  const fresh = planSetup("containerd", wish, reader({}));
  t.deepEqual(
    fresh.files.map(({ path }) => path),
    [HUB_HOSTS, "/etc/containerd/certs.d/ghcr.io/hosts.toml", CONFIG],
  );
  t.like(parse(fresh.files[0].text), {
    server: "https://registry-1.docker.io",
    host: { "http://127.0.0.1:65001": { capabilities: ["pull", "resolve"] } },
  });
  const written = Object.fromEntries(fresh.files.map(({ path, text }) => [path, text]));
  t.deepEqual(planSetup("containerd", wish, reader(written)).files, []);
  const two =
    'version = 2 # ours\n[plugins]\n  [plugins."io.containerd.grpc.v1.cri"]\n    [plugins."io.containerd.grpc.v1.cri".registry]\n      config_path = ""\n      x = 1\n[other]\n';
  const after = planSetup("containerd", WISH, reader({ [CONFIG]: two })).files.find(({ path }) => path === CONFIG)?.text ?? "";
  t.is(after, two.replace('config_path = ""', 'config_path = "/etc/containerd/certs.d"'));
  const three = "version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\n[x]\n";
  const third = planSetup("containerd", WISH, reader({ [CONFIG]: three })).files.find(({ path }) => path === CONFIG)?.text ?? "";
  t.like(parse(third), { plugins: { "io.containerd.cri.v1.images": { registry: { config_path: "/etc/containerd/certs.d" } } } });
  const elsewhere = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/opt/hosts:/x"\n';
  t.deepEqual(
    planSetup("containerd", WISH, reader({ [CONFIG]: elsewhere })).files.map(({ path }) => path),
    ["/opt/hosts/docker.io/hosts.toml"],
  );
  const mirrors = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\nendpoint = ["x"]\n';
  t.throws(() => planSetup("containerd", WISH, reader({ [CONFIG]: mirrors })), { instanceOf: SkimmerError });
  const old = planSetup("containerd", WISH, reader({ [CONFIG]: 'disabled_plugins = ["cri"]\n' }));
  t.deepEqual(
    old.files.map(({ path }) => path),
    [HUB_HOSTS],
  );
  t.regex(old.notes[0], /version 1/);
});

test("containerd: the mirror is asked before hosts that are there already", (t) => {
  const before = 'server = "https://registry-1.docker.io"\n\n[host."https://other"]\n  capabilities = ["pull"]\n';
  const [file] = planSetup("containerd", WISH, reader({ [HUB_HOSTS]: before })).files;
  const hosts = parse(file.text).host as Record<string, unknown>;
  t.deepEqual(Object.keys(hosts), ["http://127.0.0.1:65001", "https://other"]);
  t.deepEqual(
    planSetup("containerd", WISH, reader({ [HUB_HOSTS]: file.text })).files.map(({ path }) => path),
    [CONFIG],
  );
});

test("podman and CRI-O share one drop-in file", (t) => {
  const [file] = planSetup("podman", { ...WISH, registries: ["docker.io", "harbor.corp:5000"] }, reader({})).files;
  const [hub, harbor] = parse(file.text).registry as Record<string, unknown>[];
  t.deepEqual(hub, { prefix: "docker.io", location: "docker.io", mirror: [{ location: "127.0.0.1:65001/docker.io", insecure: true }] });
  t.like(harbor, { mirror: [{ location: "127.0.0.1:65001/harbor.corp:5000", insecure: true }] });
  t.deepEqual(planSetup("crio", { ...WISH, registries: ["docker.io", "harbor.corp:5000"] }, reader({ [file.path]: file.text })).files, []);
});

test("EngineFiles: a backup beside each file, undo to the byte, and not over somebody's later changes", async (t) => {
  await using folder = await temporaryFolder();
  const path = "/etc/docker/daemon.json";
  const full = join(folder.path, path);
  await mkdir(join(folder.path, "etc/docker"), { recursive: true });
  await writeFile(full, '{"debug":true}', { mode: 0o640 });
  const files = new EngineFiles({ root: folder.path, engine: "docker" });
  const other = { path: "/etc/docker/extra.conf", text: "new\n" };
  const changes = [{ path, text: '{"debug":false}\n' }, other];
  const diff = files.diff(changes);
  t.regex(diff, /^-\{"debug":true\}$/m);
  t.regex(diff, /^\+new$/m);
  await files.apply(changes);
  t.is(await readFile(full, "utf8"), '{"debug":false}\n');
  t.is(await readFile(`${full}.before-skimmer`, "utf8"), '{"debug":true}');
  t.is((await stat(full)).mode & 0o777, 0o640);
  // a second set-up still knows the first state
  await files.apply([{ path, text: '{"debug":0}\n' }]);
  await writeFile(full, "theirs");
  t.like(await t.throwsAsync(files.undo({ force: false }), { instanceOf: SkimmerError }), { code: "output_unwritable" });
  await writeFile(full, '{"debug":0}\n');
  await files.undo({ force: false });
  t.is(await readFile(full, "utf8"), '{"debug":true}');
  t.false(existsSync(`${full}.before-skimmer`));
  t.false(existsSync(join(folder.path, other.path)));
  t.like(await t.throwsAsync(files.undo({ force: false }), { instanceOf: SkimmerError }), { code: "not_found" });
});
