/**
 * Watches: each hangs on the node or ghost it watches and on its connection.
 *
 * ```
 * node:        firstWatch ⇄ … ⇄ lastWatch      in order of registration
 * connection:  firstWatch ⇄ …                  closing costs its own watches
 * index:       (connection, node, token) → watch
 * ```
 */
import type { StateMemory } from '../../native/os/state-memory.ts'
import type { Outcome } from '../xs-errno.ts'
import type { Connections } from './connections.ts'
import type { DomainRecords } from './domains.ts'
import { HashIndex, hashBytes, hashPair } from './hash-index.ts'
import { NODE_BYTES, type NodeTable } from './node-table.ts'
import type { ParsedPath } from './path.ts'
import { type Principal, payerOf } from './principal.ts'
import type { QuotaCheck } from './quota.ts'
import { RowTable } from './row-table.ts'
import type { Tree } from './tree.ts'
import type { ValueArena } from './value-arena.ts'

const STRIDE = 14
const NODE = 0
const CONNECTION = 1
const TOKEN = 2
const TOKEN_LENGTH = 3
const NEXT_ON_NODE = 4
const PREVIOUS_ON_NODE = 5
const NEXT_OF_CONNECTION = 6
const PREVIOUS_OF_CONNECTION = 7
/** Bytes of the home prefix that the watcher is not to see; 0 for an absolute watch. */
const HIDDEN_PREFIX = 8
/** Bytes charged to the watcher's domain. */
const CHARGE = 9
const SEQUENCE = 10
/** Levels below the node that are watched, plus 1; 0 = all of them. */
const LEVELS = 12

/** A watch without a depth. */
export const ALL_LEVELS = -1

const WATCH_BYTES = 64
/** Levels of a path that are shared with other guests and not charged: `/local/domain`. */
export const SHARED_LEVELS = 2

const LAST_SEQUENCE = 0

export class Watches {
  readonly #rows: RowTable
  readonly #index: HashIndex
  readonly #nodes: NodeTable
  readonly #tree: Tree
  readonly #arena: ValueArena
  readonly #connections: Connections
  readonly #domains: DomainRecords
  readonly #quota: QuotaCheck
  readonly #sequence: Float64Array

  /** What `collect` found; not state. */
  matches = new Int32Array(1024)
  #count = 0
  #isSorted = true
  readonly #bySequence = (a: number, b: number): number => this.#sequenceOf(a) - this.#sequenceOf(b)

  constructor(
    memory: StateMemory,
    capacity: number,
    tables: {
      readonly nodes: NodeTable
      readonly tree: Tree
      readonly arena: ValueArena
      readonly connections: Connections
      readonly domains: DomainRecords
      readonly quota: QuotaCheck
    },
  ) {
    this.#rows = new RowTable(memory, 'store.watches', STRIDE, capacity)
    this.#index = new HashIndex(memory, 'store.watches', capacity)
    this.#sequence = memory.float64('store.watches.sequence', 1)
    this.#nodes = tables.nodes
    this.#tree = tables.tree
    this.#arena = tables.arena
    this.#connections = tables.connections
    this.#domains = tables.domains
    this.#quota = tables.quota
  }

  /** The rows themselves, for reports and checks. */
  get rows(): RowTable {
    return this.#rows
  }

  get index(): HashIndex {
    return this.#index
  }

  /** Watches of all connections. */
  get count(): number {
    return this.#rows.inUse
  }

  /** @param depth levels below the path that are watched, too; or ALL_LEVELS. No part of what it is */
  add(
    connection: number,
    who: Principal,
    path: ParsedPath,
    token: Uint8Array,
    start: number,
    end: number,
    depth: number,
  ): Outcome {
    const known = this.#tree.findRow(path)
    if (known !== 0 && this.#find(connection, known, token, start, end) !== 0) return 'EEXIST'
    if (!this.#quota.allowsWatch(who)) return 'E2BIG'
    const charge = chargeFor(path, end - start)
    if (!this.#quota.allowsMemory(who, who.domid, charge)) return 'ENOMEM'
    const missing = this.#tree.missingRows(path)
    if (!this.#nodes.hasRoomFor(who, missing) || !this.#rows.hasRoomFor(who, 1)) return 'ENOMEM'
    if (!this.#quota.allowsGhosts(who, missing)) return 'ENOMEM'
    return this.#insert(connection, who, path, token, start, end, depth, charge)
  }

  /** A watch that was granted before: no quota is asked. @returns EEXIST, or ENOMEM when all is full */
  restore(
    connection: number,
    who: Principal,
    path: ParsedPath,
    token: Uint8Array,
    start: number,
    end: number,
    depth: number,
  ): Outcome {
    const known = this.#tree.findRow(path)
    if (known !== 0 && this.#find(connection, known, token, start, end) !== 0) return 'EEXIST'
    const charge = chargeFor(path, end - start)
    return this.#insert(connection, who, path, token, start, end, depth, charge)
  }

  #insert(
    connection: number,
    who: Principal,
    path: ParsedPath,
    token: Uint8Array,
    start: number,
    end: number,
    depth: number,
    charge: number,
  ): Outcome {
    const node = this.#tree.ensureRow(path, payerOf(who))
    if (node === 0) return 'ENOMEM'
    const text = this.#arena.store(token, start, end)
    const id = text === 0 && start !== end ? 0 : this.#rows.allocate()
    if (id === 0) {
      this.#arena.free(text)
      this.#tree.dropGhosts(node)
      return 'ENOMEM'
    }
    const rows = this.#rows
    rows.set(id, NODE, node)
    rows.set(id, CONNECTION, connection)
    rows.set(id, TOKEN, text)
    rows.set(id, TOKEN_LENGTH, end - start)
    rows.set(id, HIDDEN_PREFIX, path.prefixLength)
    rows.set(id, CHARGE, charge)
    rows.set(id, LEVELS, depth + 1)
    const sequence = (this.#sequence[LAST_SEQUENCE] as number) + 1
    this.#sequence[LAST_SEQUENCE] = sequence
    rows.setNumber(id, SEQUENCE, sequence)
    this.#index.insert(id, this.#hash(connection, node, token, start, end))
    this.#link(id, node, connection)
    this.#domains.addWatches(who.domid, 1)
    this.#domains.addMemory(who.domid, charge)
    return 'OK'
  }

  remove(
    connection: number,
    path: ParsedPath,
    token: Uint8Array,
    start: number,
    end: number,
  ): Outcome {
    const node = this.#tree.findRow(path)
    const id = node === 0 ? 0 : this.#find(connection, node, token, start, end)
    if (id === 0) return 'ENOENT'
    this.#drop(id)
    return 'OK'
  }

  /** Removes all watches of a connection. */
  removeAll(connection: number): void {
    for (
      let id = this.#connections.firstWatchOf(connection);
      id !== 0;
      id = this.#connections.firstWatchOf(connection)
    ) {
      this.#drop(id)
    }
  }

  /**
   * Puts into `matches` who is to hear of a change of `node`, in order of registration.
   * @param isExact only watches on the node itself
   * @returns how many
   */
  collect(node: number, isExact: boolean): number {
    this.#count = 0
    this.#isSorted = true
    let level = 1
    for (let at = node; at !== 0; at = isExact ? 0 : this.#nodes.parentOf(at)) {
      this.#match(at, level++)
    }
    return this.#sorted()
  }

  /** The same for a special event about what `below` stands for, if anybody watches that (or 0). */
  collectSpecial(node: number, below: number): number {
    this.#count = 0
    this.#isSorted = true
    this.#match(node, 1)
    if (below !== 0) this.#match(below, 1)
    return this.#sorted()
  }

  /** The watch that a connection registered first; 0 = none. */
  oldestOf(connection: number): number {
    let oldest = this.#connections.firstWatchOf(connection)
    for (let id = oldest; id !== 0; id = this.#rows.get(id, NEXT_OF_CONNECTION)) oldest = id
    return oldest
  }

  /** The one that the same connection registered next; 0 = none. */
  newerThan(id: number): number {
    return this.#rows.get(id, PREVIOUS_OF_CONNECTION)
  }

  nodeOf(id: number): number {
    return this.#rows.get(id, NODE)
  }

  /** Levels below its node; or ALL_LEVELS. */
  depthOf(id: number): number {
    return this.#rows.get(id, LEVELS) - 1
  }

  connectionOf(id: number): number {
    return this.#rows.get(id, CONNECTION)
  }

  /** ValueArena ref. */
  tokenOf(id: number): number {
    return this.#rows.get(id, TOKEN)
  }

  tokenLengthOf(id: number): number {
    return this.#rows.get(id, TOKEN_LENGTH)
  }

  nextOnNodeOf(id: number): number {
    return this.#rows.get(id, NEXT_ON_NODE)
  }

  previousOnNodeOf(id: number): number {
    return this.#rows.get(id, PREVIOUS_ON_NODE)
  }

  nextOfConnectionOf(id: number): number {
    return this.#rows.get(id, NEXT_OF_CONNECTION)
  }

  /** Bytes charged to the watcher's domain. */
  chargeOf(id: number): number {
    return this.#rows.get(id, CHARGE)
  }

  hiddenPrefixOf(id: number): number {
    return this.#rows.get(id, HIDDEN_PREFIX)
  }

  /** Adds the watches on a node whose depth reaches down to a change, the node itself being level 1. */
  #match(node: number, level: number): void {
    const rows = this.#rows
    for (let id = this.#nodes.firstWatchOf(node); id !== 0; id = rows.get(id, NEXT_ON_NODE)) {
      const levels = rows.get(id, LEVELS)
      if (levels !== 0 && levels < level) continue
      if (this.#count === this.matches.length) this.#growMatches()
      const last = this.#count === 0 ? id : (this.matches[this.#count - 1] as number)
      if (this.#bySequence(last, id) > 0) this.#isSorted = false
      this.matches[this.#count++] = id
    }
  }

  #sorted(): number {
    if (!this.#isSorted) this.matches.subarray(0, this.#count).sort(this.#bySequence)
    return this.#count
  }

  #sequenceOf(id: number): number {
    return this.#rows.getNumber(id, SEQUENCE)
  }

  #growMatches(): void {
    const wider = new Int32Array(this.matches.length * 2)
    wider.set(this.matches)
    this.matches = wider
  }

  #find(connection: number, node: number, token: Uint8Array, start: number, end: number): number {
    const hash = this.#hash(connection, node, token, start, end)
    for (let id = this.#index.first(hash); id !== 0; id = this.#index.next(id)) {
      if (
        this.#index.hashOf(id) === hash &&
        this.#rows.get(id, NODE) === node &&
        this.#rows.get(id, CONNECTION) === connection &&
        this.#arena.equals(this.tokenOf(id), this.tokenLengthOf(id), token, start, end)
      ) {
        return id
      }
    }
    return 0
  }

  #hash(connection: number, node: number, token: Uint8Array, start: number, end: number): number {
    return hashBytes(hashPair(this.#index.seed, connection, node), token, start, end)
  }

  #link(id: number, node: number, connection: number): void {
    const rows = this.#rows
    const last = this.#nodes.lastWatchOf(node)
    rows.set(id, PREVIOUS_ON_NODE, last)
    if (last !== 0) rows.set(last, NEXT_ON_NODE, id)
    else this.#nodes.setFirstWatch(node, id)
    this.#nodes.setLastWatch(node, id)
    const first = this.#connections.firstWatchOf(connection)
    rows.set(id, NEXT_OF_CONNECTION, first)
    if (first !== 0) rows.set(first, PREVIOUS_OF_CONNECTION, id)
    this.#connections.setFirstWatch(connection, id)
  }

  #drop(id: number): void {
    const rows = this.#rows
    const node = rows.get(id, NODE)
    const connection = rows.get(id, CONNECTION)
    const next = rows.get(id, NEXT_ON_NODE)
    const previous = rows.get(id, PREVIOUS_ON_NODE)
    if (next !== 0) rows.set(next, PREVIOUS_ON_NODE, previous)
    else this.#nodes.setLastWatch(node, previous)
    if (previous !== 0) rows.set(previous, NEXT_ON_NODE, next)
    else this.#nodes.setFirstWatch(node, next)
    const nextOwn = rows.get(id, NEXT_OF_CONNECTION)
    const previousOwn = rows.get(id, PREVIOUS_OF_CONNECTION)
    if (nextOwn !== 0) rows.set(nextOwn, PREVIOUS_OF_CONNECTION, previousOwn)
    if (previousOwn !== 0) rows.set(previousOwn, NEXT_OF_CONNECTION, nextOwn)
    else this.#connections.setFirstWatch(connection, nextOwn)
    const domid = this.#connections.domidOf(connection)
    this.#domains.addWatches(domid, -1)
    this.#domains.addMemory(domid, -rows.get(id, CHARGE))
    this.#index.remove(id)
    this.#arena.free(this.tokenOf(id))
    rows.free(id)
    this.#tree.dropGhosts(node)
  }
}

/** What a watch costs its domain, in bytes. */
function chargeFor(path: ParsedPath, tokenBytes: number): number {
  const ghosts = Math.max(1, path.count - SHARED_LEVELS)
  return WATCH_BYTES + tokenBytes + path.length + ghosts * NODE_BYTES
}
