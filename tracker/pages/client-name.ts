/**
 * Which software a peer runs, as far as its peer id says (Azureus style, BEP 20). Decides.
 */

const NAMES: Readonly<Record<string, string>> = {
  SK: "Skimmer",
  SS: "Skimmer seeder",
  A2: "aria2",
  lt: "rTorrent",
  LT: "libtorrent",
  TR: "Transmission",
  qB: "qBittorrent",
  DE: "Deluge",
  UT: "µTorrent",
  WW: "WebTorrent",
  WD: "WebTorrent Desktop",
  BT: "BitTorrent",
  rq: "rqbit",
};
const CODE = /^-([A-Za-z0-9]{2})([0-9A-Za-z]{4})-/;

/** Name and version; `unknown` where the id does not say. */
export function clientName(peerId: Buffer): string {
  const text = peerId.toString("latin1");
  const aria2 = /^A2-(\d+)-(\d+)-(\d+)-/.exec(text);
  if (aria2 !== null) return `aria2 ${aria2.slice(1).join(".")}`;
  const match = CODE.exec(text);
  if (match === null) return "unknown";
  const [, code, version] = match;
  return `${NAMES[code] ?? code} ${[...version]
    .map((char) => Number.parseInt(char, 36))
    .join(".")
    .replace(/(\.0){1,2}$/, "")}`;
}
