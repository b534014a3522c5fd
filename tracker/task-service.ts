/**
 * What the API's task routes do: register, list, publish, delete. Knows tasks, seeders and swarms; nothing of HTTP.
 */

import type { Clock } from "../system/clock.ts";
import { SkimmerError } from "../system/errors.ts";
import type { PeerId, TaskId } from "../torrents/ids.ts";
import type { GoneReason, SeederTask } from "../torrents/seeder-link.ts";
import { shownText, shownUrl } from "../torrents/shown-url.ts";
import type { PeerAddress, TaskAnswer, TaskRequest, TaskSummary } from "../torrents/task-api.ts";
import type { HostClaims } from "./announce/host-claims.ts";
import type { SeederRegistry } from "./seeder-registry.ts";
import { addressText } from "./swarm/address-bytes.ts";
import { makeAsk } from "./swarm/ask.ts";
import { FLAG } from "./swarm/peer-table.ts";
import { readSite } from "./swarm/site-table.ts";
import type { SwarmStore } from "./swarm/swarm-store.ts";
import type { TaskRow, TaskTable } from "./task-table.ts";

const MOST_PEERS = 50;
const SEEDER_WAIT_MS = 5000;

export interface Caller {
  /** Remote address. */
  readonly ip: string;
  readonly trackers: readonly string[];
}

/** A task whose final torrents are published. */
export type FinalTask = SeederTask & { readonly final: NonNullable<SeederTask["final"]> };

export class TaskService {
  readonly #tasks: TaskTable;
  readonly #seeders: SeederRegistry;
  readonly #swarms: SwarmStore;
  readonly #claims: HostClaims;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(options: {
    tasks: TaskTable;
    seeders: SeederRegistry;
    swarms: SwarmStore;
    claims: HostClaims;
    clock: Clock;
    random: () => number;
  }) {
    this.#tasks = options.tasks;
    this.#seeders = options.seeders;
    this.#swarms = options.swarms;
    this.#claims = options.claims;
    this.#clock = options.clock;
    this.#random = options.random;
  }

  /** Resolves the request at a seeder and puts the caller into the swarm. Rejects with what the origin or seeder said. */
  async register(request: TaskRequest, caller: Caller): Promise<TaskAnswer> {
    const { task, unvalidated } = await this.#resolve(request);
    const row = this.#tasks.find(task.id) ?? this.#tasks.update(task, undefined);
    this.#tasks.touch(row);
    this.#tasks.remember(request, task.id);
    return {
      id: task.id,
      state: task.state,
      name: task.name,
      lengthBytes: task.lengthBytes,
      pieceLengthBytes: task.pieceLengthBytes,
      infoHash: task.infoHash,
      liveInfo: task.liveInfo,
      infoHashV1: task.infoHashV1,
      infoHashV2: task.infoHashV2,
      final: task.final,
      inline: task.inline,
      peers: [...this.#seederAddresses(row, caller), ...this.#join(task, request, caller)],
      trackers: this.#trackersOf(task, request, caller),
      validators: task.validators,
      unvalidated,
    };
  }

  list(page: { limit: number; offset: number }): TaskSummary[] {
    const open = [...this.#tasks.rows].filter(({ task }) => !task.private).reverse();
    return open.slice(page.offset, page.offset + page.limit).map((row) => this.#summary(row));
  }

  /** Public tasks only: a private one does not exist for who only has its id. */
  get(id: string): TaskSummary {
    return this.#summary(this.find(id));
  }

  /** The task, when its final torrents are published. Throws `not_found` or `not_final`. */
  finalTask(id: string): FinalTask {
    const { task } = this.find(id);
    if (task.final === undefined)
      throw new SkimmerError("not_final", `task ${task.id} is still ${task.state}`, {
        retriable: true,
        hint: "The .torrent is there once the seeder has the whole content; try again.",
      });
    return { ...task, final: task.final };
  }

  async delete(id: string): Promise<void> {
    const { task } = this.find(id);
    await this.#seeders.delete(task.id);
    this.#tasks.remove(task.id);
  }

  /** Seeders hold every task's pieces: each is a peer of the swarms of its tasks. */
  addSeederTo(task: SeederTask, seeder: PeerId): void {
    const linked = this.#seeders.find(seeder);
    if (linked?.address === undefined) return;
    const ask = makeAsk({ infoHash: task.infoHash, peerId: seeder, ip: linked.address, port: linked.port, left: 0 });
    if (ask !== undefined) this.#swarms.addLink(ask, this.#clock.nowMs());
  }

  /** A seeder has the task no more. Its swarm lives on while somebody else is in it, unless it was deleted. */
  onGone(id: TaskId, seeder: PeerId, reason: GoneReason): void {
    const row = this.#tasks.find(id);
    if (row === undefined) return;
    row.seeders.delete(seeder);
    this.#swarms.leave(row.task.infoHash, seeder);
    const { complete, incomplete } = this.#swarms.counts(row.task.infoHash, this.#clock.nowMs());
    if (reason === "deleted" || (row.seeders.size === 0 && complete + incomplete === 0)) this.#tasks.remove(id);
  }

  /** The row of a public task; a private one does not exist for who only has its id. Throws `not_found`. */
  find(id: string): TaskRow {
    const row = this.#tasks.find(id.toLowerCase());
    if (row === undefined || row.task.private) throw new SkimmerError("not_found", `no task ${id.slice(0, 80)}`);
    return row;
  }

  async #resolve(request: TaskRequest): Promise<{ task: SeederTask; unvalidated: boolean }> {
    await this.#seeders.waitForSeeder(SEEDER_WAIT_MS);
    try {
      return { task: await this.#seeders.resolve(request), unvalidated: false };
    } catch (error) {
      const known = this.#tasks.findRequest(request)?.task;
      const usable = known?.final !== undefined && !known.private && (error as SkimmerError).code === "no_seeder";
      if (usable) return { task: known, unvalidated: true };
      throw error;
    }
  }

  /** For private tasks with the passkey that announces have to bring, and with the address that the caller advertises. */
  #trackersOf(task: SeederTask, { peer }: TaskRequest, caller: Caller): readonly string[] {
    const claim = peer?.host === undefined ? undefined : this.#claims.pathFor(peer.id, peer.host);
    const path = [this.#tasks.passkeyOf(task), claim].filter((part) => part !== undefined).map((part) => `/${part}`);
    return caller.trackers.map((url) => url + path.join(""));
  }

  #seederAddresses(row: TaskRow, caller: Caller): PeerAddress[] {
    const linked = [...row.seeders].map((id) => this.#seeders.find(id)).filter((seeder) => seeder !== undefined);
    return linked.map(({ host, port }) => ({ host: hostFor(host, caller), port, seeder: true }));
  }

  #join(task: SeederTask, request: TaskRequest, caller: Caller): PeerAddress[] {
    const { peer } = request;
    const site = this.#swarms.sites.numberOf(readSite(peer ?? {}));
    const ask =
      peer && makeAsk({ infoHash: task.infoHash, peerId: peer.id, ip: peer.host ?? caller.ip, port: peer.port, numwant: MOST_PEERS, site });
    const handOut = ask && this.#swarms.announce(ask, this.#clock.nowMs(), this.#random);
    if (handOut === undefined) return [];
    const { table, picked, pickedCount } = handOut;
    // standard clients have nothing to do in the live swarm, and linked seeders were named already
    const others = [...picked.subarray(0, pickedCount)].filter((record) => (table.flags(record) & (FLAG.ours | FLAG.link)) === FLAG.ours);
    return others.map((record) => {
      const ip = addressText(table.bytes, table.addressAt(record), (table.flags(record) & FLAG.v6) !== 0);
      return { host: hostFor(ip, caller), port: table.port(record), seeder: false };
    });
  }

  #summary({ task, createdAt, lastUsedAt }: TaskRow): TaskSummary {
    const counts = this.#swarms.counts(task.infoHash, this.#clock.nowMs());
    return {
      id: task.id,
      url: shownUrl(task.url),
      name: task.name,
      state: task.state,
      lengthBytes: task.lengthBytes,
      pieceLengthBytes: task.pieceLengthBytes,
      pieceCount: Math.ceil(task.lengthBytes / task.pieceLengthBytes),
      piecesReady: task.piecesReady,
      infoHash: task.infoHash,
      infoHashV1: task.infoHashV1,
      infoHashV2: task.infoHashV2,
      seeds: counts.complete,
      leeches: counts.incomplete,
      createdAt,
      lastUsedAt,
      error: task.error && { ...task.error, message: shownText(task.error.message) },
    };
  }
}

/** A peer seen on the loopback is on our machine: for a caller elsewhere its address is ours, which the caller knows. */
function hostFor(host: string, caller: Caller): string {
  const local = host === "127.0.0.1" || host === "::1";
  const callerLocal = caller.ip === "127.0.0.1" || caller.ip === "::1";
  if (!local || callerLocal || caller.trackers.length === 0) return host;
  return new URL(caller.trackers[0]).hostname.replace(/^\[|\]$/g, "");
}
