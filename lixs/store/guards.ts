/**
 * Transactions that are guarded: changes that would spoil them have to wait.
 *
 * A transaction whose reads are overwritten again and again never commits. After two EAGAINs in a row
 * the next transactions of that connection are guarded, until one commits that has accessed the node
 * which the last one failed at. Who changes what a guarded transaction has read is told so before the
 * change is made; that it waits, and for how long, is the caller's part.
 *
 * A privileged connection is guarded against all unprivileged ones, an unprivileged one against those
 * of other domains; nobody against privileged ones.
 *
 * @see XSA-206; docs/decisions/0010-transactions.md
 */
import {
  CHANGED,
  CREATED,
  DELETED,
  READ_CHILDREN,
  READ_EXISTENCE,
  READ_PERMS,
  READ_VALUE,
  WROTE_PERMS,
  WROTE_VALUE,
} from './access-records.ts'
import type { ParsedPath } from './path.ts'
import { PERM_OWNER, PERM_WRITE } from './perms.ts'
import type { StoreTables } from './tables.ts'
import type { Transactions } from './transactions.ts'
import { ROOT } from './tree.ts'

/** What is to be done to a node, outside of any transaction. */
export type Change = 'write' | 'mkdir' | 'rm' | 'setPerms'

/** So many EAGAINs are a connection's own affair. */
const RETRIES = 2
/** So many transactions are guarded at once at most; asking costs the same however many are open. */
const GUARDED_MAX = 16
const ANY_READ = READ_EXISTENCE | READ_VALUE | READ_CHILDREN | READ_PERMS | CREATED

export class Guards {
  readonly #tables: StoreTables
  readonly #transactions: Transactions
  /**
   * Slots: those of privileged connections first, then those that have tried most. What is lost with the
   * process is a favour, no truth.
   */
  readonly #guarded: number[] = []
  /** Of them those that a request at hand has to respect; not state. */
  readonly #respected = new Int32Array(GUARDED_MAX)
  /** Called when a transaction is guarded no more; it is about to end, or has had its time. */
  onEnd: (slot: number) => void = () => undefined
  /** May an unprivileged connection's next transaction be guarded? */
  mayGuardGuest: (connection: number) => boolean = () => true
  /** Called when a guest's transaction is guarded from now on, for which a time is to be set. */
  onGuestGuarded: (slot: number) => void = () => undefined

  constructor(tables: StoreTables, transactions: Transactions) {
    this.#tables = tables
    this.#transactions = transactions
  }

  /** Is nothing guarded? Then nobody has to be asked. */
  get isEmpty(): boolean {
    return this.#guarded.length === 0
  }

  /** A transaction was started. */
  started(slot: number): void {
    const { connections } = this.#tables
    const connection = this.#transactions.connectionOf(slot)
    if (connections.retriesOf(connection) < RETRIES) return
    const isGuest = !connections.isPrivileged(connection)
    // One each: who opens many and leaves them takes no place from others.
    if (isGuest && (this.#isGuarded(connection) || !this.mayGuardGuest(connection))) return
    const place = this.#guarded.findIndex((other) => this.#goesBefore(slot, other))
    this.#guarded.splice(place < 0 ? this.#guarded.length : place, 0, slot)
    if (isGuest) this.onGuestGuarded(slot)
    const last = this.#guarded.at(-1)
    if (last !== undefined && this.#guarded.length > GUARDED_MAX) this.end(last)
  }

  /** How often a transaction's connection has failed since the first that was guarded. */
  furtherTriesOf(slot: number): number {
    const { connections } = this.#tables
    return Math.max(0, connections.retriesOf(this.#transactions.connectionOf(slot)) - RETRIES)
  }

  /** A commit failed with EAGAIN. @param node where it failed */
  lost(slot: number, node: number): void {
    const connection = this.#transactions.connectionOf(slot)
    const { connections } = this.#tables
    connections.setRetries(connection, connections.retriesOf(connection) + 1, node)
  }

  /** A commit was made. */
  won(slot: number): void {
    const connection = this.#transactions.connectionOf(slot)
    const { connections } = this.#tables
    if (connections.retriesOf(connection) === 0) return
    const node = connections.contestedNodeOf(connection)
    if (this.#transactions.records.find(slot, node) !== 0) connections.setRetries(connection, 0, 0)
  }

  /** The transaction is guarded no more, if it was. */
  end(slot: number): void {
    const index = this.#guarded.indexOf(slot)
    if (index < 0) return
    this.#guarded.splice(index, 1)
    this.onEnd(slot)
  }

  /** Whose transaction it is; undefined: a privileged connection's. */
  guestOf(slot: number): number | undefined {
    const connection = this.#transactions.connectionOf(slot)
    return this.#tables.connections.isPrivileged(connection) ? undefined : connection
  }

  /**
   * Which guarded transaction would a change spoil? One that will be refused spoils none: it costs no
   * look at what is guarded.
   *
   * @param connection whose change it is; unprivileged
   * @param isExempt only transactions of privileged connections count
   * @returns its slot; 0: none
   */
  against(connection: number, isExempt: boolean, path: ParsedPath, change: Change): number {
    const { tree } = this.#tables
    const node = tree.find(path)
    if (!this.#isPermitted(connection, node, change)) return 0
    const count = this.#respect(connection, isExempt)
    if (node === 0) return this.#spoiltByPath(count, path, change)
    if (change === 'rm') return this.#spoiltByRemoval(count, node)
    if (change === 'mkdir') return 0
    return this.#spoilt(count, node, change === 'write' ? READ_VALUE : READ_PERMS)
  }

  /** The same for the commit of a transaction of that connection. */
  againstCommit(connection: number, isExempt: boolean, other: number): number {
    const { nodes } = this.#tables
    const { records } = this.#transactions
    const count = this.#respect(connection, isExempt)
    if (count === 0) return 0
    let slot = 0
    let record = this.#transactions.firstRecordOf(other)
    for (; record !== 0 && slot === 0; record = records.nextOf(record)) {
      const flags = records.flagsOf(record)
      const node = records.nodeOf(record)
      if ((flags & (CHANGED | CREATED | DELETED)) === 0) continue
      if ((flags & WROTE_VALUE) !== 0) slot = this.#spoilt(count, node, READ_VALUE)
      if (slot === 0 && (flags & WROTE_PERMS) !== 0) slot = this.#spoilt(count, node, READ_PERMS)
      if (slot === 0 && (flags & CREATED) !== 0 && !nodes.exists(node)) {
        slot =
          this.#spoilt(count, node, READ_EXISTENCE | CREATED) ||
          this.#spoilt(count, nodes.parentOf(node), READ_CHILDREN)
      }
      if (slot === 0 && (flags & DELETED) !== 0 && nodes.exists(node)) {
        slot = this.#spoiltByRemoval(count, node)
      }
    }
    return slot
  }

  /**
   * Puts into `#respected` whose transactions count against a connection. Whoever has a guarded
   * transaction itself waits for those guests only that have tried more: so the first one waits for no
   * guest, and never two for each other.
   *
   * @returns how many
   */
  #respect(connection: number, isExempt: boolean): number {
    const domid = this.#tables.connections.domidOf(connection)
    let mayGuestsCount = !isExempt
    let count = 0
    for (const slot of this.#guarded) {
      if (this.#transactions.connectionOf(slot) === connection) mayGuestsCount = false
      const isGuest = this.guestOf(slot) !== undefined
      if (isGuest && !(mayGuestsCount && this.#transactions.domidOf(slot) !== domid)) continue
      this.#respected[count++] = slot
    }
    return count
  }

  /** Will the store let an unprivileged connection do it? */
  #isPermitted(connection: number, node: number, change: Change): boolean {
    const { tree, nodes, perms, connections } = this.#tables
    if (node === ROOT && change === 'rm') return false
    const asked = node === 0 ? tree.nearest : node
    const rights = perms.rightsOf(nodes.permsOf(asked), connections.domidOf(connection))
    return (rights & (change === 'setPerms' ? PERM_OWNER : PERM_WRITE)) !== 0
  }

  #isGuarded(connection: number): boolean {
    return this.#guarded.some((slot) => this.#transactions.connectionOf(slot) === connection)
  }

  #goesBefore(slot: number, other: number): boolean {
    const { connections } = this.#tables
    const [own, its] = [slot, other].map((of) => this.#transactions.connectionOf(of))
    const isPrivileged = connections.isPrivileged(own as number)
    if (isPrivileged !== connections.isPrivileged(its as number)) return isPrivileged
    return connections.retriesOf(own as number) > connections.retriesOf(its as number)
  }

  /** The first of `count` respected transactions that has read one of these things of a node. */
  #spoilt(count: number, node: number, flags: number): number {
    if (this.#tables.nodes.pinsOf(node) === 0) return 0
    for (let i = 0; i < count; i++) {
      const slot = this.#respected[i] as number
      if (this.#has(slot, node, flags)) return slot
    }
    return 0
  }

  /** Nothing is there at the path, but nodes above it: `find` has left word of them. */
  #spoiltByPath(count: number, path: ParsedPath, change: Change): number {
    if (change === 'rm' || change === 'setPerms') return 0
    const { tree } = this.#tables
    let node = tree.nearest
    let slot = this.#spoilt(count, node, READ_CHILDREN)
    for (let i = tree.matched; i < path.count && slot === 0; i++) {
      node = tree.childNamed(node, path, i)
      if (node === 0) return 0
      slot = this.#spoilt(count, node, READ_EXISTENCE | CREATED)
    }
    return slot
  }

  /** One walk over what goes, which the removal will make anyway. */
  #spoiltByRemoval(count: number, root: number): number {
    if (count === 0) return 0
    const { tree, nodes } = this.#tables
    let slot = this.#spoilt(count, nodes.parentOf(root), READ_CHILDREN)
    for (let node = root; node !== 0 && slot === 0; ) {
      slot = this.#spoilt(count, node, ANY_READ)
      node = tree.nextInSubtree(root, node, false)
    }
    return slot
  }

  #has(slot: number, node: number, flags: number): boolean {
    const record = this.#transactions.records.find(slot, node)
    return record !== 0 && this.#transactions.records.has(record, flags)
  }
}
