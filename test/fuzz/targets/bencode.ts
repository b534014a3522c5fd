/** Bencoding: what decodes must encode and decode again to the same. Decides. */
import {
  type BencodeDict,
  type BencodeValue,
  decode,
  decodePrefix,
  dictBytes,
  dictInt,
  type Encodable,
  encode,
} from "../../../torrents/bencode.ts";
import type { FuzzTarget } from "../target.ts";

export const bencode: FuzzTarget = {
  name: "bencode",
  samples: () => [
    encode({ a: 1, b: ["x", "yy", 0], c: { d: { e: [] } } }),
    encode([1, -1, 2 ** 40, "", "spam"]),
    encode(new Map([["\u00ff\u0000", Buffer.alloc(40)]])),
    Buffer.from(`${"l".repeat(30)}${"e".repeat(30)}`),
    Buffer.from("d1:ad1:bd1:cd1:di0eeeee"),
  ],
  run: (input) => {
    const { value } = decodePrefix(input);
    const again = encode(value as Encodable);
    if (!encode(decode(again) as Encodable).equals(again)) throw new Error("does not come out the same");
    if (value instanceof Map) visit(value);
  },
};

function visit(dict: BencodeDict): void {
  for (const key of dict.keys()) {
    const value: BencodeValue | undefined = dict.get(key);
    if (dictInt(dict, key) === undefined && dictBytes(dict, key) === undefined && value === undefined)
      throw new Error("a key without value");
  }
}
