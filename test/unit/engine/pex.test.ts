import { isIPv6 } from "node:net";
import test from "ava";
import fc from "fast-check";
import { encodePex, expand, type PexAddress, parsePex } from "../../../peer/engine/pex.ts";
import { encode } from "../../../torrents/bencode.ts";
import { refuses } from "../torrents/refuses.ts";

const port = fc.integer({ min: 1, max: 65535 });
const v4 = fc.record<PexAddress>({ host: fc.ipV4(), port });
const v6 = fc.record<PexAddress>({ host: fc.ipV6().filter(isIPv6), port });
/** One way to write each address. */
const plain = ({ host, port: number }: PexAddress): string => `${isIPv6(host) ? new URL(`http://[${host}]`).hostname : host} ${number}`;

test("parsePex() reads the addresses that encodePex() was given, IPv4 first", (t) => {
  fc.assert(
    fc.property(fc.array(v4, { maxLength: 10 }), fc.array(v6, { maxLength: 10 }), (four, six) => {
      const payload = encodePex({ added: [...six, ...four], dropped: [{ host: "10.0.0.1", port: 1 }] }) as Buffer;
      t.deepEqual(parsePex(payload).map(plain), [...four, ...six].map(plain));
    }),
    { numRuns: 300 },
  );
});

test("encodePex() says nothing where nothing changed, leaves names out and tells 50 addresses at most", (t) => {
  t.is(encodePex({ added: [], dropped: [] }), undefined);
  t.deepEqual(parsePex(encodePex({ added: [{ host: "name.example", port: 1 }], dropped: [] }) as Buffer), []);
  const added = Array.from({ length: 80 }, (_, index) => ({ host: `10.0.0.${index}`, port: 1 }));
  t.is(parsePex(encodePex({ added, dropped: [] }) as Buffer).length, 50);
});

test("parsePex() believes 50 addresses at most, none with port 0, and drops a cut tail", (t) => {
  t.is(parsePex(encode({ added: Buffer.alloc(6 * 1000, 1) })).length, 50);
  t.deepEqual(parsePex(encode({ added: Buffer.from([1, 2, 3, 4, 0, 0, 9, 9]) })), []);
  t.deepEqual(parsePex(encode({})), []);
  t.deepEqual(parsePex(encode({ added: 7, added6: ["x"] })), []);
});

test("parsePex() refuses what is no dictionary", (t) => {
  for (const text of ["", "le", "d5:added", "i1e"]) refuses(t, () => parsePex(Buffer.from(text)));
});

test("expand() reads compact addresses of both kinds", (t) => {
  t.deepEqual(expand(Buffer.from([127, 0, 0, 1, 0x1a, 0xe1]), 6), [{ host: "127.0.0.1", port: 6881 }]);
  t.deepEqual(expand(Buffer.concat([Buffer.alloc(15), Buffer.from([1, 0x1a, 0xe1])]), 18), [{ host: "::1", port: 6881 }]);
});
