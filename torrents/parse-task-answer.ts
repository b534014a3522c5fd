/**
 * Checks what a supernode answered to a task request: a lying or confused one must not harm a daemon. Decides.
 */
import { publicKeyFrom } from "./cluster-key.ts";
import { infoHashV1, infoHashV2, parseInfoV1, parseInfoV2, verifyFinal } from "./final-torrents.ts";
import { type InfoHash, parseInfoHash, parseTaskId } from "./ids.ts";
import { type LiveInfo, liveInfoHash, parseLiveInfo } from "./live-info.ts";
import { fieldReader } from "./parse-fields.ts";
import { type FinalTorrents, INLINE_BYTES, type PeerAddress, type TaskAnswer, type TaskState, type Validators } from "./task-api.ts";

const MOST_BASE64 = 64 * 1024 * 1024;
const MOST_PEERS = 200;
/** Names and addresses, IPv6 with zone too. */
const HOST = /^[0-9A-Za-z.:%_-]+$/;
const read = fieldReader("protocol", "supernode's answer");

/** Throws SkimmerError `protocol`. */
export function parseTaskAnswer(body: unknown): TaskAnswer {
  const fields = read.object(body, "body");
  const liveInfo = read.text(fields.liveInfo, "liveInfo", 8192);
  const liveBytes = Buffer.from(liveInfo, "base64");
  const live = parseLiveInfo(liveBytes);
  const infoHash = liveInfoHash(liveBytes);
  if (fields.infoHash !== infoHash) read.fail("infoHash", "that of liveInfo");
  const final = fields.final === undefined ? undefined : checkFinal(parseFinalTorrents(fields.final), live, infoHash);
  return {
    id: parseTaskId(read.text(fields.id, "id", 64)) ?? read.fail("id", "a task id"),
    state: parseState(fields.state),
    name: live.name,
    lengthBytes: live.lengthBytes,
    pieceLengthBytes: live.pieceLengthBytes,
    infoHash,
    liveInfo,
    final,
    infoHashV1: final && infoHashV1(Buffer.from(final.infoV1, "base64")),
    infoHashV2: final && infoHashV2(Buffer.from(final.infoV2, "base64")),
    inline: read.optionalText(fields.inline, "inline", INLINE_BYTES * 2),
    peers: read.list(fields.peers, "peers", MOST_PEERS).map(parsePeerAddress),
    trackers: read.list(fields.trackers, "trackers", 20).map((url) => read.text(url, "tracker", 2048)),
    validators: parseValidators(fields.validators),
    unvalidated: read.flag(fields.unvalidated),
  };
}

/** Unchecked, they would be passed on, and the peers would ban us for them. The piece layer is the engine's to check. */
function checkFinal(final: FinalTorrents, live: LiveInfo, infoHash: InfoHash): FinalTorrents {
  const [infoV1, infoV2, signature] = [final.infoV1, final.infoV2, final.signature].map((text) => Buffer.from(text, "base64"));
  for (const { geometry } of [parseInfoV1(infoV1), parseInfoV2(infoV2)]) {
    const same = geometry.lengthBytes === live.lengthBytes && geometry.pieceLengthBytes === live.pieceLengthBytes;
    if (!same) read.fail("final", "of the length and piece length in liveInfo");
  }
  const signed = verifyFinal({ infoHash, infoV1, infoV2, signature, publicKey: publicKeyFrom(live.key) });
  return signed ? final : read.fail("final.signature", "made with the key in liveInfo");
}

export function parseState(value: unknown): TaskState {
  return value === "live" || value === "final" || value === "failed" ? value : read.fail("state", "live, final or failed");
}

export function parseFinalTorrents(value: unknown): FinalTorrents {
  const final = read.object(value, "final");
  const text = (field: string): string => read.text(final[field], `final.${field}`, MOST_BASE64);
  return { infoV1: text("infoV1"), infoV2: text("infoV2"), pieceLayer: text("pieceLayer"), signature: text("signature") };
}

export function parseValidators(value: unknown): Validators {
  const validators = read.object(value ?? {}, "validators");
  return {
    etag: read.optionalText(validators.etag, "etag", 1024),
    lastModified: read.optionalText(validators.lastModified, "lastModified", 128),
  };
}

/** An optional info hash of a message. */
export function parseOptionalInfoHash(value: unknown, field: string): InfoHash | undefined {
  if (value === undefined) return undefined;
  return parseInfoHash(read.text(value, field, 40)) ?? read.fail(field, "40 hex digits");
}

function parsePeerAddress(value: unknown): PeerAddress {
  const peer = read.object(value, "peer");
  const host = read.text(peer.host, "peer.host", 255);
  if (!HOST.test(host)) read.fail("peer.host", "a host name or address");
  return { host, port: read.integer(peer.port, "peer.port", { least: 1, most: 65535 }), seeder: read.flag(peer.seeder) };
}
