/** Where the proxy's certificate authority is kept. Decides. */
import { join } from "node:path";

export function authorityPaths(home: string): { certificate: string; key: string } {
  return { certificate: join(home, "ca", "ca.pem"), key: join(home, "ca", "ca-key.pem") };
}
