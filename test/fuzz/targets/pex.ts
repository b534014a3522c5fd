/** Peer exchange: what is read must be addresses, and few. Decides. */
import { isIP } from "node:net";
import { encodePex, expand, parsePex } from "../../../peer/engine/pex.ts";
import type { FuzzTarget } from "../target.ts";

const ADDED = [
  { host: "192.0.2.1", port: 1 },
  { host: "2001:db8::1", port: 65535 },
  { host: "::ffff:192.0.2.7", port: 80 },
];

export const pex: FuzzTarget = {
  name: "pex",
  samples: () => [
    encodePex({ added: ADDED, dropped: ADDED }) ?? Buffer.alloc(0),
    encodePex({ added: ADDED.slice(1), dropped: [] }) ?? Buffer.alloc(0),
  ],
  run: (input) => {
    const peers = [...parsePex(input), ...expand(input, 6), ...expand(input, 18)];
    for (const { host, port } of peers) if (isIP(host) === 0 || port < 1 || port > 65535) throw new Error(`no address: ${host} ${port}`);
    encodePex({ added: peers, dropped: peers });
  },
};
