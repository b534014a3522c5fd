/**
 * nginx as a real origin: one worker in a temporary folder, serving its `www`. Undefined where it is not installed.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "./folders.ts";
import { freePort, until } from "./processes.ts";

export interface Nginx extends AsyncDisposable {
  readonly url: string;
  /** Where the files are. */
  readonly root: string;
  /** Body bytes sent so far, by its log of answers that ended. */
  bodyBytes(): Promise<number>;
}

const PROGRAM = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx"].find((path) => existsSync(path));

export function hasNginx(): boolean {
  return PROGRAM !== undefined;
}

/** `location` is put into the configuration of everything that is served. */
export async function startNginx(location = ""): Promise<Nginx | undefined> {
  if (PROGRAM === undefined) return undefined;
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder());
  const root = join(folder, "www");
  await mkdir(root);
  const port = await freePort();
  await writeFile(join(folder, "nginx.conf"), configuration({ folder, root, port, location }));
  const child = spawn(PROGRAM, ["-p", folder, "-e", join(folder, "error.log"), "-c", join(folder, "nginx.conf")], { stdio: "ignore" });
  stack.defer(async () => {
    if (child.exitCode === null && child.signalCode === null) await Promise.all([once(child, "exit"), child.kill("SIGTERM")]);
  });
  const url = `http://127.0.0.1:${port}`;
  await until(
    async () =>
      child.exitCode !== null ||
      (await fetch(url).then(
        (response) => response.body?.cancel().then(() => true),
        () => false,
      )) === true,
  );
  if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
  const open = stack.move();
  const bodyBytes = async (): Promise<number> => {
    const log = await readFile(join(folder, "access.log"), "utf8");
    return log.split("\n").reduce((sum, line) => sum + Number(line), 0);
  };
  return { url, root, bodyBytes, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

function configuration(at: { folder: string; root: string; port: number; location: string }): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${at.folder}/${name};`).join(" ");
  // as root its worker would be somebody who may not look into our folder
  const user = process.getuid?.() === 0 ? "user root;" : "";
  return `${user} daemon off; worker_processes 1; pid ${at.folder}/pid;
events { worker_connections 4096; }
http { log_format body '$body_bytes_sent'; access_log ${at.folder}/access.log body; sendfile on; ${temporary}
  server { listen 127.0.0.1:${at.port}; root ${at.root}; location / { ${at.location} } }
}
`;
}
