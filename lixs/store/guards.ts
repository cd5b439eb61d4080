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
 * @see XSA-206; docs/decisions/0008-transactions.md
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
import type { Principal } from './principal.ts'
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
  /** Slots; what is lost with the process is a favour, not a truth. */
  readonly #guarded: number[] = []
  /** Called when a transaction is guarded no more; it may be gone already. */
  onEnd: (slot: number) => void = () => undefined

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
    const isAfflicted = connections.retriesOf(this.#transactions.connectionOf(slot)) >= RETRIES
    if (isAfflicted && this.#guarded.length < GUARDED_MAX) this.#guarded.push(slot)
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

  isPrivileged(slot: number): boolean {
    return this.#tables.connections.isPrivileged(this.#transactions.connectionOf(slot))
  }

  /**
   * Which guarded transaction would a change spoil?
   *
   * @param isExempt only those of privileged connections count
   * @returns its slot; 0: none
   */
  against(who: Principal, isExempt: boolean, path: ParsedPath, change: Change): number {
    const node = this.#tables.tree.find(path)
    for (const slot of this.#guarded) {
      if (!this.#isAgainst(slot, who, isExempt)) continue
      const isSpoilt =
        node === 0 ? this.#isSpoiltByPath(slot, path, change) : this.#isSpoilt(slot, node, change)
      if (isSpoilt) return slot
    }
    return 0
  }

  /** The same for the commit of another transaction. */
  againstCommit(who: Principal, isExempt: boolean, other: number): number {
    for (const slot of this.#guarded) {
      if (
        slot !== other &&
        this.#isAgainst(slot, who, isExempt) &&
        this.#isSpoiltByCommit(slot, other)
      ) {
        return slot
      }
    }
    return 0
  }

  #isAgainst(slot: number, who: Principal, isExempt: boolean): boolean {
    if (this.isPrivileged(slot)) return true
    return !isExempt && this.#transactions.domidOf(slot) !== who.domid
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
