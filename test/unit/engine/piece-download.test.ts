import test from "ava";
import fc from "fast-check";
import type { Slot } from "../../../peer/engine/piece-buffers.ts";
import { type BlockRun, PieceDownload } from "../../../peer/engine/piece-download.ts";

const BLOCK = 16384;
const slot = (lengthBytes: number): Slot => {
  const memory = new SharedArrayBuffer(lengthBytes);
  return { memory: { id: 1, shared: memory }, offset: 0, bytes: Buffer.from(memory), references: 1, key: undefined };
};
const download = (lengthBytes: number) => new PieceDownload<string>({ index: 0, lengthBytes, slot: slot(lengthBytes) });

test("PieceDownload hands out every byte once, the last block short", (t) => {
  const piece = download(5 * BLOCK + 100);
  const runs: BlockRun[] = [];
  for (let run = piece.takeRun(2 * BLOCK); run !== undefined; run = piece.takeRun(2 * BLOCK)) runs.push(run);
  t.deepEqual(runs, [
    { begin: 0, length: 2 * BLOCK },
    { begin: 2 * BLOCK, length: 2 * BLOCK },
    { begin: 4 * BLOCK, length: BLOCK + 100 },
  ]);
  t.false(piece.hasMissing);
  for (const run of runs) piece.receive(run, "a");
  t.true(piece.isWhole);
});

test("PieceDownload.takeRun() gives at least one block, and a piece of one byte is one block", (t) => {
  t.deepEqual(download(2 * BLOCK).takeRun(1), { begin: 0, length: BLOCK });
  const tiny = download(1);
  t.deepEqual(tiny.takeRun(BLOCK), { begin: 0, length: 1 });
  tiny.receive({ begin: 0, length: 1 }, "a");
  t.true(tiny.isWhole);
});

test("PieceDownload.bringers are those whose blocks counted", (t) => {
  const piece = download(2 * BLOCK);
  const [first, second] = [piece.takeRun(BLOCK), piece.takeRun(BLOCK)] as [BlockRun, BlockRun];
  piece.receive(first, "honest");
  piece.receive(first, "late");
  piece.receive(second, "other");
  t.deepEqual(piece.bringers, new Set(["honest", "other"]));
});

type Step = { kind: "take" | "receive" | "giveBack" | "late"; blocks: number; pick: number };

test("PieceDownload keeps missing, requested and received apart, after any steps", (t) => {
  const steps = fc.array(
    fc.record<Step>({
      kind: fc.constantFrom("take", "receive", "giveBack", "late"),
      blocks: fc.integer({ min: 1, max: 4 }),
      pick: fc.nat(9),
    }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 * BLOCK }), steps, (lengthBytes, todo) => {
      const piece = download(lengthBytes);
      const count = Math.ceil(lengthBytes / BLOCK);
      const states: ("missing" | "requested" | "received")[] = new Array(count).fill("missing");
      const open: BlockRun[] = [];
      const done: BlockRun[] = [];
      const set = (run: BlockRun, change: (state: string) => "missing" | "requested" | "received"): void => {
        for (let at = run.begin / BLOCK; at * BLOCK < run.begin + run.length; at++) states[at] = change(states[at]);
      };
      for (const { kind, blocks, pick } of todo) {
        if (kind === "take") {
          const run = piece.takeRun(blocks * BLOCK);
          t.is(run === undefined, !states.includes("missing"));
          if (run === undefined) continue;
          t.true(run.begin % BLOCK === 0 && run.length > 0 && run.length <= blocks * BLOCK && run.begin + run.length <= lengthBytes);
          set(run, (state) => (state === "missing" ? "requested" : "received"));
          open.push(run);
        } else if (kind === "late" && done.length > 0) piece.giveBack(done[pick % done.length]);
        else if (open.length > 0 && kind !== "late") {
          const [run] = open.splice(pick % open.length, 1);
          if (kind === "receive") done.push(run), piece.receive(run, "a"), set(run, () => "received");
          else piece.giveBack(run), set(run, (state) => (state === "received" ? "received" : "missing"));
        }
        t.is(piece.hasMissing, states.includes("missing"));
        t.is(
          piece.isWhole,
          states.every((state) => state === "received"),
        );
        const asked = piece.requestedRun(BLOCK);
        t.is(asked === undefined ? -1 : asked.begin / BLOCK, states.indexOf("requested"));
        for (const run of done) t.false(piece.wants(run));
        for (const run of open) t.true(piece.wants(run));
      }
    }),
  );
});
