/**
 * The tree as a transaction sees it: the live tree, with what the transaction has read, made and
 * deleted laid over it. Reading notes what was read, once per node and field.
 *
 * ```
 * live:      a ── b ── c        a node is hidden when the transaction has deleted it or an
 * written:   a ── B             ancestor: then only what the transaction has made since counts
 *                 └─ d
 * ```
 *
 * `find` leaves a cursor on the node at the path or, when that is not there, on the last node on
 * the way to it; the other functions are about the node at the cursor.
 */
import { OK, type Outcome, type XsErrno } from '../xs-errno.ts'
import {
  type AccessRecords,
  CREATED,
  DELETED,
  READ_CHILDREN,
  READ_EXISTENCE,
  READ_PERMS,
  READ_VALUE,
  TORN,
  WAS_PRESENT,
  WROTE_PERMS,
} from './access-records.ts'
import type { ParsedPath } from './path.ts'
import { type Principal, payerOf } from './principal.ts'
import type { StoreTables } from './tables.ts'
import type { Transactions } from './transactions.ts'
import { ROOT, SPECIAL_ROOT } from './tree.ts'

export class TransactionView {
  readonly #tables: StoreTables
  readonly #transactions: Transactions
  readonly #records: AccessRecords

  /** The cursor: a node that is there for the transaction, */
  node = ROOT
  /** its record, if it has one already, */
  record = 0
  /** whether the live node, be there one or not, is out of sight, */
  isHidden = false
  /** and how many components of the path led to it. */
  matched = 0

  constructor(tables: StoreTables, transactions: Transactions) {
    this.#tables = tables
    this.#transactions = transactions
    this.#records = transactions.records
  }

  /** @returns is there a node at the path? */
  find(slot: number, path: ParsedPath): boolean {
    const { tree } = this.#tables
    let node = path.isSpecial ? SPECIAL_ROOT : ROOT
    let record = this.recordAt(slot, node)
    let isHidden = false
    let i = 0
    for (; i < path.count; i++) {
      const child = tree.childNamed(node, path, i)
      if (child === 0) break
      const below = this.recordAt(slot, child)
      if (!this.isPresent(child, below, isHidden)) break
      isHidden ||= below !== 0 && this.#records.has(below, DELETED)
      node = child
      record = below
    }
    this.node = node
    this.record = record
    this.isHidden = isHidden
    this.matched = i
    return i === path.count
  }

  /** The transaction's record of a node; 0 = none. Only pinned nodes can have one. */
  recordAt(slot: number, node: number): number {
    return this.#tables.nodes.pinsOf(node) === 0 ? 0 : this.#records.find(slot, node)
  }

  /** Is a node there for the transaction? @param isHidden is its parent's live node out of sight? */
  isPresent(node: number, record: number, isHidden: boolean): boolean {
    if (record !== 0) {
      const flags = this.#records.flagsOf(record)
      if ((flags & CREATED) !== 0) return true
      if ((flags & DELETED) !== 0 || isHidden) return false
      if ((flags & READ_EXISTENCE) !== 0) return (flags & WAS_PRESENT) !== 0
    }
    return !isHidden && this.#tables.nodes.exists(node)
  }

  /** Is the node at the cursor the live one, and not one that the transaction has made? */
  get isLive(): boolean {
    return !this.isHidden && (this.record === 0 || !this.#records.has(this.record, CREATED))
  }

  /** Gives the node at the cursor a record. */
  ensureRecord(slot: number, who: Principal): Outcome {
    if (this.record !== 0) return OK
    const record = this.#transactions.recordOf(slot, who, this.node)
    if (typeof record === 'string') return record
    this.record = record
    return OK
  }

  /** Notes whether the live node at the cursor exists. */
  noteExistence(slot: number, who: Principal): Outcome {
    const outcome = this.ensureRecord(slot, who)
    if (outcome !== OK || this.#records.has(this.record, READ_EXISTENCE)) return outcome
    this.#records.mark(this.record, READ_EXISTENCE)
    if (this.#tables.nodes.exists(this.node)) this.#records.mark(this.record, WAS_PRESENT)
    return OK
  }

  /**
   * After `find` has failed: notes that the first component that is missing is missing. That the
   * transaction itself has deleted it is nothing to note.
   */
  noteAbsence(slot: number, who: Principal, path: ParsedPath): Outcome {
    if (this.isHidden) return OK
    const { tree } = this.#tables
    const missing = tree.ensureChild(this.node, path, this.matched, payerOf(who))
    if (missing === 0) {
      this.#transactions.fail(slot)
      return 'ENOMEM'
    }
    const record = this.#transactions.recordOf(slot, who, missing)
    if (typeof record === 'string') {
      tree.dropGhosts(missing)
      return record
    }
    if (!this.#records.has(record, DELETED | READ_EXISTENCE)) {
      this.#records.mark(record, READ_EXISTENCE)
    }
    return OK
  }

  /** The permission list of the node at the cursor. */
  permsOf(slot: number, who: Principal): number | XsErrno {
    if (this.record !== 0) {
      const flags = this.#records.flagsOf(this.record)
      if ((flags & WROTE_PERMS) !== 0) return this.#records.permsOf(this.record)
      if ((flags & CREATED) !== 0) return this.#records.inheritedOf(this.record)
      if ((flags & READ_PERMS) !== 0) return this.#records.readPermsOf(this.record)
    }
    const { nodes, perms } = this.#tables
    if (!nodes.exists(this.node)) return this.#gone()
    const outcome = this.ensureRecord(slot, who)
    if (outcome !== OK) return outcome
    const list = nodes.permsOf(this.node)
    perms.use(list)
    this.#records.setReadPerms(this.record, list)
    return list
  }

  /** May `who` do this to the node at the cursor? @returns OK, EACCES, or why it cannot be said */
  check(slot: number, who: Principal, right: number): Outcome {
    if (who.isPrivileged) return OK
    const list = this.permsOf(slot, who)
    if (typeof list === 'string') return list
    return (this.#tables.perms.rightsOf(list, who.domid) & right) !== 0 ? OK : 'EACCES'
  }

  /** Notes the value of the live node at the cursor and keeps a copy of it. */
  noteValue(slot: number, who: Principal): Outcome {
    const outcome = this.noteExistence(slot, who)
    if (outcome !== OK || this.#records.has(this.record, READ_VALUE)) return outcome
    const { nodes, arena } = this.#tables
    if (!nodes.exists(this.node)) return this.#gone()
    const length = nodes.valueLengthOf(this.node)
    if (!this.#transactions.charge(slot, who, length)) return 'ENOMEM'
    const start = arena.startOf(nodes.valueOf(this.node))
    const copy = arena.store(arena.bytes, start, start + length)
    if (copy === 0 && length !== 0) {
      this.#transactions.fail(slot)
      return 'ENOMEM'
    }
    this.#records.setReadValue(this.record, copy, length, nodes.valueGenerationOf(this.node))
    return OK
  }

  /**
   * Notes the child list of the live node at the cursor; a list that was noted before must still be
   * the same. @returns OK; ENOENT when there is none
   */
  noteChildren(slot: number, who: Principal): Outcome {
    const outcome = this.noteExistence(slot, who)
    if (outcome !== OK) return outcome
    const { nodes, childrenDigest } = this.#tables
    const records = this.#records
    if (!records.has(this.record, WAS_PRESENT)) return 'ENOENT'
    if (!nodes.exists(this.node)) return this.#gone()
    const generation = nodes.childrenGenerationOf(this.node)
    const isFirst = !records.has(this.record, READ_CHILDREN)
    if (!isFirst && generation === records.readChildrenGenerationOf(this.record)) return OK
    childrenDigest.take(this.node)
    if (isFirst) records.setReadChildren(this.record, generation, childrenDigest)
    else if (!records.hasReadChildren(this.record, childrenDigest)) records.mark(this.record, TORN)
    return OK
  }

  /**
   * The node at the cursor was there when it was noted and is not there now: should it be back at
   * the commit, the answer is wrong all the same.
   */
  #gone(): XsErrno {
    this.#records.mark(this.record, TORN)
    return 'ENOENT'
  }

  /** Length of the list of children of the node at the cursor. */
  childListBytes(): number {
    const live = this.isHidden ? 0 : this.#tables.nodes.childListBytesOf(this.node)
    return live + (this.record === 0 ? 0 : this.#records.childBytesOf(this.record))
  }
}
