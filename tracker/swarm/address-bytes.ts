/**
 * IP addresses between text and 16 bytes (IPv4 mapped, ::ffff:a.b.c.d). Decides; hot path: no allocation for IPv4.
 */

const [ZERO, NINE, DOT, COLON, PERCENT] = [0x30, 0x39, 0x2e, 0x3a, 0x25];

/** Writes the address into `into`. Answers 4 or 6, 0 where the text is no address. */
export function readAddress(text: string, into: Uint8Array): 0 | 4 | 6 {
  if (text.charCodeAt(0) === COLON && text.startsWith("::ffff:") && readV4(text, "::ffff:".length, into)) return 4;
  if (readV4(text, 0, into)) return 4;
  return text.indexOf(":") >= 0 && readV6(text, into) ? 6 : 0;
}

function readV4(text: string, start: number, into: Uint8Array): boolean {
  let value = 0;
  let digits = 0;
  let part = 0;
  if (text.length - start > 15 || text.length - start < 7) return false;
  for (let at = start; at <= text.length; at++) {
    const code = at === text.length ? DOT : text.charCodeAt(at);
    if (code >= ZERO && code <= NINE) {
      value = value * 10 + code - ZERO;
      if (++digits > 3 || value > 255) return false;
    } else if (code === DOT && digits > 0 && part < 4) {
      into[12 + part++] = value;
      value = digits = 0;
    } else return false;
  }
  if (part !== 4) return false;
  into.fill(0, 0, 10);
  into[10] = into[11] = 0xff;
  return true;
}

function readV6(text: string, into: Uint8Array): boolean {
  const zone = text.indexOf("%");
  const plain = zone < 0 ? text : text.slice(0, zone);
  const halves = plain.split("::");
  if (halves.length > 2 || plain.length > 45) return false;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const count = groups[0].length + (groups[1]?.length ?? 0);
  if (halves.length === 1 ? count !== 8 : count > 7) return false;
  const all = [...groups[0], ...new Array<string>(8 - count).fill("0"), ...(groups[1] ?? [])];
  for (const [index, group] of all.entries()) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return false;
    const value = Number.parseInt(group, 16);
    into[index * 2] = value >> 8;
    into[index * 2 + 1] = value & 0xff;
  }
  return plain.charCodeAt(0) !== PERCENT;
}

/** The text of 16 bytes at `at`. */
export function addressText(bytes: Uint8Array, at: number, v6: boolean): string {
  if (!v6) return `${bytes[at + 12]}.${bytes[at + 13]}.${bytes[at + 14]}.${bytes[at + 15]}`;
  const groups: string[] = [];
  for (let index = 0; index < 16; index += 2) groups.push(((bytes[at + index] << 8) | bytes[at + index + 1]).toString(16));
  return groups.join(":");
}
