/**
 * Piece layers of a v2 torrent from and to peers (BEP 52): asks for what a magnet link did not bring, answers what others ask.
 * Drives links; the caller's ticks are its clock.
 *
 * Only hashes that are proven against a file's root are kept. Leaf hashes are not given: we have none, and nobody needs them who checks
 * whole pieces. Invariant: each open request belongs to one chunk of `todo`; at most REQUESTS_PER_LINK of a link are open.
 */
import { SkimmerError } from "../../system/errors.ts";
import { type Geometry, geometryOf } from "../../torrents/geometry.ts";
import { HASH_BYTES, isSpanOf, type LayerSpan, LayerTree, provesRoot, treeHeight, uncleCount } from "../../torrents/layer-tree.ts";
import { leavesPerPiece } from "../../torrents/merkle.ts";
import { EventBudget } from "./event-budget.ts";
import type { LayerFile, LayerStore } from "./layer-store.ts";
import type { PeerLink } from "./peer-link.ts";
import { encodeHashMessage, type HashRange, MOST_HASHES, parseHashMessage } from "./wire/hash-messages.ts";
import { MESSAGE } from "./wire/messages.ts";

const REQUESTS_PER_LINK = 4;
const ANSWER_WITHIN_MS = 10_000;
/** A peer that refused or kept silent is asked for the same again after this time. */
const ASK_AGAIN_MS = 60_000;
/** One answer is up to 16 KiB: what a file of a million pieces needs at once, then about 1 MB/s to each peer. */
const ANSWERS = { perSecond: 60, burst: 2000 };
/** Answers that nobody asked for; those to requests that were given up count too. */
const MOST_UNASKED = 64;
/** Trees above piece layers that are kept for answering; the one used longest ago goes. */
const MOST_TREES = 4;
/**
 * Hashes computed for such trees, for all peers of a torrent together: one small request may ask for a tree of a hundred thousand, which
 * the event loop waits for, and requests for more files in a circle than are kept would build one each. A burst is two of that length.
 */
const BUILT = { perSecond: 20_000, burst: 2 ** 18 };
/** Chunks that a peer refused are passed over, but not without end. */
const MOST_SKIPPED = 256;

/** A run of a file's piece layer, as long as one answer. */
interface Chunk {
  readonly file: LayerFile;
  readonly span: LayerSpan;
}

interface OpenRequest {
  readonly chunk: Chunk;
  readonly link: PeerLink;
  readonly untilMs: number;
}

/** What is remembered of a peer. */
interface Asked {
  open: number;
  unasked: number;
  readonly refusedUntilMs: Map<Chunk, number>;
  readonly answers: EventBudget;
}

export class HashExchange {
  readonly #truth: { readonly layers: LayerStore };
  readonly #isV2: (link: PeerLink) => boolean;
  /** Chunks that nobody was asked for yet; made with the first tick. */
  #todo: Set<Chunk> | undefined;
  readonly #open = new Set<OpenRequest>();
  readonly #asked = new WeakMap<PeerLink, Asked>();
  readonly #trees = new Map<LayerFile, LayerTree>();
  readonly #built = new EventBudget(BUILT, 0);

  /** `isV2`: the peer shook hands with a v2 info hash, and so knows these messages. */
  constructor(truth: { readonly layers: LayerStore }, isV2: (link: PeerLink) => boolean) {
    this.#truth = truth;
    this.#isV2 = isV2;
  }

  /** Asks for what is missing; gives up on those who keep silent. */
  tick(links: Iterable<PeerLink>, nowMs: number): void {
    this.#todo ??= new Set(oneOfEach(this.#truth.layers.missing).flatMap((file) => chunksOf(file)));
    if (this.#todo.size + this.#open.size === 0) return;
    for (const request of this.#open) if (request.untilMs <= nowMs) this.#giveUp(request, nowMs);
    for (const link of links) if (this.#isV2(link) && !link.connection.closed) this.#ask(link, this.#todo, nowMs);
  }

  /** A message of BEP 52. Throws SkimmerError `protocol` where the peer lied. */
  onMessage(link: PeerLink, message: { id: number; payload: Buffer }, nowMs: number): void {
    const { range, hashes } = parseHashMessage(message.id, message.payload);
    if (message.id === MESSAGE.hashRequest) return this.#answer(link, range, nowMs);
    const request = [...this.#open].find((open) => open.link === link && isSame(open.chunk, range));
    if (request === undefined) return this.#countUnasked(link, nowMs);
    if (message.id === MESSAGE.hashReject) return this.#giveUp(request, nowMs);
    this.#take(request, Buffer.from(hashes));
    this.tick([link], nowMs);
  }

  /** The connection ended: others are asked. */
  onGone(link: PeerLink): void {
    for (const request of this.#open) if (request.link === link) this.#putBack(request);
  }

  #ask(link: PeerLink, todo: Set<Chunk>, nowMs: number): void {
    const asked = this.#of(link, nowMs);
    let skipped = 0;
    for (const chunk of todo) {
      if (asked.open >= REQUESTS_PER_LINK || skipped > MOST_SKIPPED) return;
      if ((asked.refusedUntilMs.get(chunk) ?? 0) > nowMs) {
        skipped++;
        continue;
      }
      todo.delete(chunk);
      asked.open++;
      this.#open.add({ chunk, link, untilMs: nowMs + ANSWER_WITHIN_MS });
      link.connection.send(encodeHashMessage(MESSAGE.hashRequest, rangeOf(chunk)));
    }
  }

  #take(request: OpenRequest, hashes: Buffer): void {
    const { file, span } = request.chunk;
    const isWhole = hashes.length === (span.length + uncleCount(span)) * HASH_BYTES;
    if (!isWhole || !provesRoot(hashes, span, file))
      throw new SkimmerError("protocol", "peer sent hashes that do not lead to the file's root");
    this.#close(request);
    this.#truth.layers.addProven(file, span.index, hashes.subarray(0, span.length * HASH_BYTES));
  }

  #giveUp(request: OpenRequest, nowMs: number): void {
    this.#of(request.link, nowMs).refusedUntilMs.set(request.chunk, nowMs + ASK_AGAIN_MS);
    this.#putBack(request);
  }

  #putBack(request: OpenRequest): void {
    this.#close(request);
    this.#todo?.add(request.chunk);
  }

  #close(request: OpenRequest): void {
    this.#open.delete(request);
    const asked = this.#asked.get(request.link);
    if (asked !== undefined) asked.open--;
  }

  #countUnasked(link: PeerLink, nowMs: number): void {
    const asked = this.#of(link, nowMs);
    if (++asked.unasked > MOST_UNASKED) throw new SkimmerError("protocol", "peer keeps sending hashes that were not asked for");
  }

  #answer(link: PeerLink, range: HashRange, nowMs: number): void {
    const hashes = this.#of(link, nowMs).answers.take(nowMs) ? this.#hashesFor(range, nowMs) : undefined;
    const id = hashes === undefined ? MESSAGE.hashReject : MESSAGE.hashes;
    link.connection.send(encodeHashMessage(id, range, hashes));
  }

  #hashesFor({ root, base, index, length, proofs }: HashRange, nowMs: number): Buffer | undefined {
    const file = this.#truth.layers.find(root);
    if (file === undefined) return undefined;
    const span = { layer: base - pieceLayer(file.geometry), index, length, proofs };
    if (length > MOST_HASHES || !isSpanOf(file.geometry, span)) return undefined;
    return this.#treeOf(file, nowMs)?.hashes(span);
  }

  /** Undefined where the layer is not whole, or too much was computed lately. */
  #treeOf(file: LayerFile, nowMs: number): LayerTree | undefined {
    let tree = this.#trees.get(file);
    if (tree === undefined) {
      if (this.#truth.layers.firstMissing(file) !== undefined || !this.#built.take(nowMs, buildCost(file))) return undefined;
      const layer = this.#truth.layers.layerOf(file);
      if (layer === undefined) return undefined;
      tree = new LayerTree(layer, file.geometry);
    }
    this.#trees.delete(file);
    this.#trees.set(file, tree);
    if (this.#trees.size > MOST_TREES) this.#trees.delete(this.#trees.keys().next().value as LayerFile);
    return tree;
  }

  #of(link: PeerLink, nowMs: number): Asked {
    let asked = this.#asked.get(link);
    if (asked === undefined) {
      asked = { open: 0, unasked: 0, refusedUntilMs: new Map(), answers: new EventBudget(ANSWERS, nowMs) };
      this.#asked.set(link, asked);
    }
    return asked;
  }
}

/** Hashes that the file's tree takes; the largest may be built when nothing was for a while. */
function buildCost({ geometry }: LayerFile): number {
  return Math.min(BUILT.burst, 2 ** treeHeight(geometry));
}

/** Equal files share a layer, which is asked for once. */
function oneOfEach(files: readonly LayerFile[]): LayerFile[] {
  return [...new Map(files.map((file) => [`${file.piecesRoot.toString("hex")} ${file.geometry.pieceCount}`, file])).values()];
}

/** The runs in which a file's layer is asked for. */
function chunksOf(file: LayerFile): Chunk[] {
  const height = treeHeight(file.geometry);
  const length = Math.min(MOST_HASHES, 2 ** height);
  const count = Math.ceil(file.geometry.pieceCount / length);
  return Array.from({ length: count }, (_, at) => ({ file, span: { layer: 0, index: at * length, length, proofs: height - 1 } }));
}

/** The piece layer as BEP 52 counts. */
function pieceLayer({ pieceLengthBytes }: Geometry): number {
  return Math.log2(leavesPerPiece(geometryOf({ lengthBytes: 2 * pieceLengthBytes, pieceLengthBytes })));
}

function rangeOf({ file, span: { index, length, proofs } }: Chunk): HashRange {
  return { root: file.piecesRoot, base: pieceLayer(file.geometry), index, length, proofs };
}

function isSame(chunk: Chunk, range: HashRange): boolean {
  const own = rangeOf(chunk);
  const numbers = own.base === range.base && own.index === range.index && own.length === range.length && own.proofs === range.proofs;
  return numbers && own.root.equals(range.root);
}
