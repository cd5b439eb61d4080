/**
 * What the store knows of each domain, addressed by domid: what it owns and uses, whether it is
 * introduced, and which incarnation of its domid it is.
 *
 * An incarnation is a number that is given once: a permission names domid and incarnation, so the
 * next domain with the same domid gets nothing of what its predecessor was allowed, and a death
 * costs nothing in other nodes' lists (XSA-322).
 *
 * ```
 * rows:    0 (dom0)   1   2 …   0x7fef │ 0x7ff0: last incarnation, first known domain
 *          │ 0x7ff5: DOMID_ANY, which lives for ever and may own nodes
 * known:   a list through all rows with a record, dom0's excepted
 * owned:   a list through all nodes of an owner (NodeTable), head and tail here
 * ```
 */
import { DOM0, DOMID_FIRST_RESERVED, type Domid } from '../../native/hypervisor.ts'
import type { StateMemory } from '../../native/os/state-memory.ts'
import { DomainLimits, LIMIT } from './domain-limits.ts'
import { DomainMaxima, MOST } from './domain-maxima.ts'
import { SERVER_FEATURES } from './features.ts'
import { type MemoryWatcher, NOBODY_WATCHES, SCARCE_BYTES } from './memory-watcher.ts'
import type { Quotas } from './quota.ts'
import { RowTable } from './row-table.ts'

const STRIDE = 16
const INCARNATION = 0
const FLAGS = 1
const NODES = 2
const FIRST_NODE = 3
const LAST_NODE = 4
const WATCHES = 5
const TRANSACTIONS = 6
/** Connection + 1; 0 = none. */
const CONNECTION = 7
const TARGET = 8
const TARGET_INCARNATION = 9
const NEXT_KNOWN = 10
const PREVIOUS_KNOWN = 11
const MEMORY = 12
const GHOSTS = 14
const FEATURES = 15

const HEADER = DOMID_FIRST_RESERVED
/** In a permission: every domain (xs_wire.h). */
export const DOMID_ANY = 0x7ff5
const LAST_INCARNATION = 0
const FIRST_KNOWN = 1

const INTRODUCED = 1
const SHUTDOWN_REPORTED = 2
const EXHAUSTION_REPORTED = 4

export class DomainRecords {
  readonly #rows: RowTable
  watcher: MemoryWatcher = NOBODY_WATCHES
  /** What each may use; valid for those with a record. */
  readonly limits: DomainLimits
  /** The most that each has used. */
  readonly maxima: DomainMaxima

  constructor(memory: StateMemory, quotas: Quotas) {
    this.limits = new DomainLimits(memory, DOMID_ANY + 1, quotas)
    this.maxima = new DomainMaxima(memory, DOMID_ANY + 1)
    this.#rows = new RowTable(memory, 'store.domains', STRIDE, DOMID_ANY + 1)
    if (this.incarnationOf(DOM0) === 0) {
      this.#rows.set(DOM0, INCARNATION, this.#nextIncarnation())
      this.#rows.set(DOM0, FLAGS, INTRODUCED)
      this.#rows.set(DOM0, FEATURES, SERVER_FEATURES)
      this.limits.begin(DOM0)
      this.#rows.set(DOMID_ANY, INCARNATION, this.#nextIncarnation())
    }
  }

  /** The rows themselves, for reports and checks. */
  get rows(): RowTable {
    return this.#rows
  }

  /** 0 for a domain without record: no permission counts for it. */
  incarnationOf(domid: number): number {
    return domid < HEADER || domid === DOMID_ANY ? this.#rows.get(domid, INCARNATION) : 0
  }

  /** Makes a record unless there is one. */
  ensure(domid: Domid): void {
    const rows = this.#rows
    if (this.incarnationOf(domid) !== 0) return
    rows.clear(domid)
    rows.set(domid, INCARNATION, this.#nextIncarnation())
    rows.set(domid, FEATURES, SERVER_FEATURES)
    this.limits.begin(domid)
    this.maxima.begin(domid)
    const first = rows.get(HEADER, FIRST_KNOWN)
    rows.set(domid, NEXT_KNOWN, first)
    if (first !== 0) rows.set(first, PREVIOUS_KNOWN, domid)
    rows.set(HEADER, FIRST_KNOWN, domid)
  }

  /** Forgets a domain: incarnation, target and all accounting. Not for dom0. */
  forget(domid: Domid): void {
    const rows = this.#rows
    const next = rows.get(domid, NEXT_KNOWN)
    const previous = rows.get(domid, PREVIOUS_KNOWN)
    if (next !== 0) rows.set(next, PREVIOUS_KNOWN, previous)
    if (previous !== 0) rows.set(previous, NEXT_KNOWN, next)
    else rows.set(HEADER, FIRST_KNOWN, next)
    rows.clear(domid)
  }

  /** @returns true when the domain was not introduced before */
  introduce(domid: Domid, connection: number): boolean {
    this.ensure(domid)
    this.#rows.set(domid, CONNECTION, connection + 1)
    if (this.isIntroduced(domid)) return false
    this.#setFlag(domid, INTRODUCED)
    return true
  }

  /** A domain that another daemon knew: `introduce` without connection, and what was said of it. */
  adopt(domid: Domid, isIntroduced: boolean, isShutdownReported: boolean): void {
    this.ensure(domid)
    const flags = (isIntroduced ? INTRODUCED : 0) | (isShutdownReported ? SHUTDOWN_REPORTED : 0)
    this.#rows.set(domid, FLAGS, flags)
  }

  setConnection(domid: Domid, connection: number): void {
    this.#rows.set(domid, CONNECTION, connection + 1)
  }

  isShutdownReported(domid: Domid): boolean {
    return (this.#rows.get(domid, FLAGS) & SHUTDOWN_REPORTED) !== 0
  }

  isIntroduced(domid: number): boolean {
    return domid < HEADER && (this.#rows.get(domid, FLAGS) & INTRODUCED) !== 0
  }

  connectionOf(domid: Domid): number | undefined {
    const connection = this.#rows.get(domid, CONNECTION)
    return connection === 0 ? undefined : connection - 1
  }

  dropConnection(domid: Domid): void {
    this.#rows.set(domid, CONNECTION, 0)
  }

  /** @returns true when this is news */
  markShutdown(domid: Domid): boolean {
    if (!this.isIntroduced(domid)) return false
    if ((this.#rows.get(domid, FLAGS) & SHUTDOWN_REPORTED) !== 0) return false
    this.#setFlag(domid, SHUTDOWN_REPORTED)
    return true
  }

  clearShutdown(domid: Domid): void {
    this.#rows.set(domid, FLAGS, this.#rows.get(domid, FLAGS) & ~SHUTDOWN_REPORTED)
  }

  /** FEATURE_… bits of what the domain is offered, or will be. */
  featuresOf(domid: number): number {
    return this.incarnationOf(domid) === 0 ? SERVER_FEATURES : this.#rows.get(domid, FEATURES)
  }

  setFeatures(domid: number, features: number): void {
    this.#rows.set(domid, FEATURES, features)
  }

  setTarget(domid: Domid, target: Domid): void {
    this.#rows.set(domid, TARGET, target)
    this.#rows.set(domid, TARGET_INCARNATION, this.incarnationOf(target))
  }

  /** The living domain whose rights `domid` has beside its own; -1 = none. */
  targetOf(domid: number): number {
    const incarnation = this.#rows.get(domid, TARGET_INCARNATION)
    if (incarnation === 0) return -1
    const target = this.#rows.get(domid, TARGET)
    return this.incarnationOf(target) === incarnation ? target : -1
  }

  /** Ascending, without dom0. */
  known(): Domid[] {
    const domids: Domid[] = []
    let at = this.#rows.get(HEADER, FIRST_KNOWN)
    while (at !== 0) {
      domids.push(at as Domid)
      at = this.#rows.get(at, NEXT_KNOWN)
    }
    return domids.sort((a, b) => a - b)
  }

  nodesOf(domid: number): number {
    return this.#rows.get(domid, NODES)
  }

  firstNodeOf(domid: number): number {
    return this.#rows.get(domid, FIRST_NODE)
  }

  lastNodeOf(domid: number): number {
    return this.#rows.get(domid, LAST_NODE)
  }

  setFirstNode(domid: number, node: number): void {
    this.#rows.set(domid, FIRST_NODE, node)
  }

  setLastNode(domid: number, node: number): void {
    this.#rows.set(domid, LAST_NODE, node)
  }

  addNodes(domid: number, delta: number): void {
    this.#rows.add(domid, NODES, delta)
    if (delta > 0) this.maxima.note(domid, MOST.nodes, this.nodesOf(domid))
  }

  /** Rows that it keeps for nodes that do not exist. */
  ghostsOf(domid: number): number {
    return this.#rows.get(domid, GHOSTS)
  }

  addGhosts(domid: number, delta: number): void {
    this.#rows.add(domid, GHOSTS, delta)
  }

  watchesOf(domid: number): number {
    return this.#rows.get(domid, WATCHES)
  }

  addWatches(domid: number, delta: number): void {
    this.#rows.add(domid, WATCHES, delta)
    if (delta > 0) this.maxima.note(domid, MOST.watches, this.watchesOf(domid))
  }

  transactionsOf(domid: number): number {
    return this.#rows.get(domid, TRANSACTIONS)
  }

  addTransactions(domid: number, delta: number): void {
    this.#rows.add(domid, TRANSACTIONS, delta)
    if (delta > 0) this.maxima.note(domid, MOST.transactions, this.transactionsOf(domid))
  }

  /** Bytes charged: nodes it owns, its watches and open transactions. */
  memoryOf(domid: number): number {
    return this.#rows.getNumber(domid, MEMORY)
  }

  addMemory(domid: number, delta: number): void {
    const bytes = this.memoryOf(domid) + delta
    this.#rows.setNumber(domid, MEMORY, bytes)
    if (delta > 0) this.maxima.note(domid, MOST.memoryBytes, bytes)
    if (domid === DOM0) return
    const limit = this.limits.of(domid, LIMIT.memoryHard)
    if (limit !== 0 && Math.max(bytes, bytes - delta) > limit - SCARCE_BYTES) {
      this.watcher.memoryScarce(domid)
    }
  }

  /** Bytes charged, those included that wait for the domain to take them. */
  chargedTo(domid: number): number {
    return this.memoryOf(domid) + this.watcher.queuedBytesOf(domid)
  }

  /**
   * How much may wait for a domain, as far as the store is concerned; 0 or less: it has too much. The
   * limit itself is too much, in every version.
   */
  memoryRoomOf(domid: number): number {
    const limit = this.limits.of(domid, LIMIT.memoryHard)
    return limit === 0 ? Number.POSITIVE_INFINITY : limit - this.memoryOf(domid)
  }

  /** @returns may the domain use so many bytes more? */
  hasMemoryFor(domid: number, more: number): boolean {
    const room = this.memoryRoomOf(domid) - more
    const isEnough = room >= SCARCE_BYTES || room > this.watcher.queuedBytesOf(domid)
    if (!isEnough && (this.#rows.get(domid, FLAGS) & EXHAUSTION_REPORTED) === 0) {
      this.#setFlag(domid, EXHAUSTION_REPORTED)
      this.watcher.memoryExhausted(domid)
    }
    return isEnough
  }

  /** What a domain uses now may be the most that it has. */
  noteMaxima(domid: number): void {
    this.maxima.note(domid, MOST.nodes, this.nodesOf(domid))
    this.maxima.note(domid, MOST.watches, this.watchesOf(domid))
    this.maxima.note(domid, MOST.transactions, this.transactionsOf(domid))
    this.maxima.note(domid, MOST.memoryBytes, this.memoryOf(domid))
  }

  #setFlag(domid: number, flag: number): void {
    this.#rows.set(domid, FLAGS, this.#rows.get(domid, FLAGS) | flag)
  }

  #nextIncarnation(): number {
    this.#rows.add(HEADER, LAST_INCARNATION, 1)
    return this.#rows.get(HEADER, LAST_INCARNATION)
  }
}
