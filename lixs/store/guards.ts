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
import type { StoreTables } from './tables.ts'
import type { Transactions } from './transactions.ts'

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
  /** Slots, those first that have tried most; what is lost with the process is a favour, no truth. */
  readonly #guarded: number[] = []
  /** Called when a transaction is guarded no more; it is about to end, or has had its time. */
  onEnd: (slot: number) => void = () => undefined
  /** May an unprivileged connection's next transaction be guarded? */
  mayGuardGuest: (connection: number) => boolean = () => true

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
    if (!connections.isPrivileged(connection) && !this.mayGuardGuest(connection)) return
    const place = this.#guarded.findIndex((other) => this.#hasTriedMore(slot, other))
    this.#guarded.splice(place < 0 ? this.#guarded.length : place, 0, slot)
    const last = this.#guarded.at(-1)
    if (last !== undefined && this.#guarded.length > GUARDED_MAX) this.end(last)
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
   * Which guarded transaction would a change spoil?
   *
   * @param connection whose change it is
   * @param isExempt only transactions of privileged connections count
   * @returns its slot; 0: none
   */
  against(connection: number, isExempt: boolean, path: ParsedPath, change: Change): number {
    const node = this.#tables.tree.find(path)
    let mayGuestsCount = !isExempt
    for (const slot of this.#guarded) {
      if (this.#transactions.connectionOf(slot) === connection) mayGuestsCount = false
      if (!this.#counts(slot, connection, mayGuestsCount)) continue
      const isSpoilt =
        node === 0 ? this.#isSpoiltByPath(slot, path, change) : this.#isSpoilt(slot, node, change)
      if (isSpoilt) return slot
    }
    return 0
  }

  /** The same for the commit of a transaction of that connection. */
  againstCommit(connection: number, isExempt: boolean, other: number): number {
    let mayGuestsCount = !isExempt
    for (const slot of this.#guarded) {
      if (this.#transactions.connectionOf(slot) === connection) mayGuestsCount = false
      if (!this.#counts(slot, connection, mayGuestsCount)) continue
      if (this.#isSpoiltByCommit(slot, other)) return slot
    }
    return 0
  }

  /**
   * Whoever has a guarded transaction itself waits for those guests only that have tried more: so the
   * first one waits for no guest, and never two for each other.
   */
  #counts(slot: number, connection: number, mayGuestsCount: boolean): boolean {
    if (this.guestOf(slot) === undefined) return true
    const domid = this.#tables.connections.domidOf(connection)
    return mayGuestsCount && this.#transactions.domidOf(slot) !== domid
  }

  #hasTriedMore(slot: number, other: number): boolean {
    const { connections } = this.#tables
    const retriesOf = (of: number) => connections.retriesOf(this.#transactions.connectionOf(of))
    return retriesOf(slot) > retriesOf(other)
  }

  #isSpoilt(slot: number, node: number, change: Change): boolean {
    if (change === 'write') return this.#has(slot, node, READ_VALUE)
    if (change === 'setPerms') return this.#has(slot, node, READ_PERMS)
    return change === 'rm' && this.#isSpoiltByRemoval(slot, node)
  }

  /** Nothing is there at the path, but nodes above it: `find` has left word of them. */
  #isSpoiltByPath(slot: number, path: ParsedPath, change: Change): boolean {
    if (change === 'rm' || change === 'setPerms') return false
    const { tree } = this.#tables
    let node = tree.nearest
    if (this.#has(slot, node, READ_CHILDREN)) return true
    for (let i = tree.matched; i < path.count; i++) {
      node = tree.childNamed(node, path, i)
      if (node === 0) return false
      if (this.#has(slot, node, READ_EXISTENCE | CREATED)) return true
    }
    return false
  }

  #isSpoiltByRemoval(slot: number, root: number): boolean {
    const { tree, nodes } = this.#tables
    if (this.#has(slot, nodes.parentOf(root), READ_CHILDREN)) return true
    for (let node = root; node !== 0; node = tree.nextInSubtree(root, node, false)) {
      if (this.#has(slot, node, ANY_READ)) return true
    }
    return false
  }

  #isSpoiltByCommit(slot: number, other: number): boolean {
    const { nodes } = this.#tables
    const { records } = this.#transactions
    let record = this.#transactions.firstRecordOf(other)
    for (; record !== 0; record = records.nextOf(record)) {
      const flags = records.flagsOf(record)
      const node = records.nodeOf(record)
      if ((flags & (CHANGED | CREATED | DELETED)) === 0) continue
      if ((flags & WROTE_VALUE) !== 0 && this.#has(slot, node, READ_VALUE)) return true
      if ((flags & WROTE_PERMS) !== 0 && this.#has(slot, node, READ_PERMS)) return true
      if ((flags & CREATED) !== 0 && !nodes.exists(node)) {
        if (this.#has(slot, node, READ_EXISTENCE | CREATED)) return true
        if (this.#has(slot, nodes.parentOf(node), READ_CHILDREN)) return true
      }
      if ((flags & DELETED) !== 0 && nodes.exists(node)) {
        if (this.#isSpoiltByRemoval(slot, node)) return true
      }
    }
    return false
  }

  #has(slot: number, node: number, flags: number): boolean {
    if (this.#tables.nodes.pinsOf(node) === 0) return false
    const record = this.#transactions.records.find(slot, node)
    return record !== 0 && this.#transactions.records.has(record, flags)
  }
}
