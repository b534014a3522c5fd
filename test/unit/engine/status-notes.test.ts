/** What is told of torrents: what changed, each its turn, the closed ones too. */
import test from "ava";
import { StatusNotes } from "../../../peer/engine/status-notes.ts";
import type { Torrent } from "../../../peer/engine/types.ts";
import { MOST_REPORTED_TASKS } from "../../../torrents/host-report.ts";
import type { InfoHash } from "../../../torrents/ids.ts";

interface Facts {
  readonly piecesHave?: number;
  readonly uploadedBytes?: number;
}

function torrentOf(number: number, { piecesHave = 0, uploadedBytes = 0 }: Facts = {}): Torrent {
  const rates = { downloadBytesPerSecond: 1.6, uploadBytesPerSecond: 0 };
  return {
    infoHash: number.toString(16).padStart(40, "0") as InfoHash,
    geometry: { pieceCount: 10, lengthBytes: 95 },
    stats: {
      piecesHave,
      bytesHave: piecesHave * 10,
      from: { origin: 0, seeder: 5, peers: 0, cache: 7 },
      uploadedBytes,
      connections: 1,
      ...rates,
    },
    has: (index: number) => index < piecesHave,
  } as unknown as Torrent;
}

test("collect() tells of what is not confirmed, and again of what changes", (t) => {
  const notes = new StatusNotes();
  t.true(notes.whole);
  const [status] = notes.collect([torrentOf(1, { piecesHave: 3 })]);
  t.deepEqual(status, {
    infoHash: `${"0".repeat(39)}1` as InfoHash,
    bytesHave: 30,
    piecesHave: 3,
    from: { origin: 0, seeder: 5, peers: 0 },
    uploadedBytes: 0,
    downloadBytesPerSecond: 2,
    uploadBytesPerSecond: 0,
    connections: 1,
    pieces: Buffer.from([0b1110_0000, 0]).toString("base64"),
  });
  t.is(notes.collect([torrentOf(1, { piecesHave: 3 })]).length, 1, "until it is confirmed");
  notes.confirm([status]);
  t.false(notes.whole);
  t.deepEqual(notes.collect([torrentOf(1, { piecesHave: 3 })]), []);
  const [full] = notes.collect([torrentOf(1, { piecesHave: 10 })]);
  t.is(full.pieces, undefined);
  t.is(full.bytesHave, 95, "never more than there is");
});

test("collect() starves nobody where more changes than a report holds", (t) => {
  const notes = new StatusNotes();
  const told = new Set<string>();
  for (let round = 0; round < 3; round++) {
    const torrents = Array.from({ length: 2.5 * MOST_REPORTED_TASKS }, (_, number) => torrentOf(number, { uploadedBytes: round }));
    const statuses = notes.collect(torrents);
    t.is(statuses.length, MOST_REPORTED_TASKS);
    t.true(notes.whole, "not everything was told yet");
    for (const { infoHash } of statuses) told.add(infoHash);
    notes.confirm(statuses);
  }
  t.is(told.size, 2.5 * MOST_REPORTED_TASKS);
});

test("closing() has a torrent's last figures told once, without rates; opened again it speaks for itself", (t) => {
  const notes = new StatusNotes();
  notes.closing(torrentOf(1, { uploadedBytes: 9 }));
  const statuses = notes.collect([]);
  t.like(statuses[0], { uploadedBytes: 9, downloadBytesPerSecond: 0, connections: 0 });
  notes.confirm(statuses);
  t.deepEqual(notes.collect([]), []);
  notes.closing(torrentOf(1, { uploadedBytes: 9 }));
  t.is(notes.collect([torrentOf(1)]).length, 1);
});

test("reset() and retain() forget what was told", (t) => {
  const notes = new StatusNotes();
  const torrent = torrentOf(1);
  notes.confirm(notes.collect([torrent]));
  notes.retain(new Map([[torrent.infoHash, torrent]]));
  t.deepEqual(notes.collect([torrent]), []);
  notes.retain(new Map());
  t.is(notes.collect([torrent]).length, 1);
  notes.confirm(notes.collect([torrent]));
  notes.reset();
  t.true(notes.whole);
  t.is(notes.collect([torrent]).length, 1);
});
