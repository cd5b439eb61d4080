/**
 * The commit: either everything that was read still reads the same, and everything that was written
 * is applied at once; or nothing is.
 *
 * ```
 * validate → quota → note events → delete → make and write → tell
 * └── may refuse ──┘               └── cannot fail: rows, bytes and lists are there already
 * ```
 *
 * Reads are compared with the store as it is now, by content where the generation has moved, so the
 * transaction is as if it had run at this moment as a whole.
 */
import { OK, type Outcome } from '../xs-errno.ts'
import {
  type AccessRecords,
  CHANGED,
  CREATED,
  DELETED,
  READ_CHILDREN,
  READ_EXISTENCE,
  READ_PERMS,
  READ_VALUE,
  TORN,
  WAS_PRESENT,
  WROTE_PERMS,
  WROTE_VALUE,
} from './access-records.ts'
import type { StoreTables } from './tables.ts'
import type { TransactionQuota } from './transaction-quota.ts'
import type { Transactions } from './transactions.ts'

export class TransactionCommit {
  readonly #tables: StoreTables
  readonly #transactions: Transactions
  readonly #records: AccessRecords
  readonly #quota: TransactionQuota
  /** Nodes on the way from one that is to be made up to one that exists; not state. */
  readonly #chain = new Int32Array(4096)

  constructor(tables: StoreTables, transactions: Transactions, quota: TransactionQuota) {
    this.#tables = tables
    this.#transactions = transactions
    this.#records = transactions.records
    this.#quota = quota
  }

  /** Applies the transaction; the slot is the caller's to drop, whatever comes of it. */
  commit(slot: number): Outcome {
    if (this.#transactions.hasFailed(slot)) return 'ENOMEM'
    const { guards } = this.#transactions
    const first = this.#transactions.firstRecordOf(slot)
    const records = this.#records
    for (let record = first; record !== 0; record = records.nextOf(record)) {
      if (this.#isValid(slot, record)) continue
      guards.lost(slot, records.nodeOf(record))
      return 'EAGAIN'
    }
    const refusal = this.#quota.checkCommit(slot)
    if (refusal !== OK) return refusal
    for (let record = first; record !== 0; record = records.nextOf(record)) {
      this.#noteEvents(slot, record)
    }
    for (let record = first; record !== 0; record = records.nextOf(record)) {
      const node = records.nodeOf(record)
      if (records.has(record, DELETED) && this.#tables.nodes.exists(node)) {
        this.#tables.tree.deleteSubtree(node, undefined)
      }
    }
    for (let record = first; record !== 0; record = records.nextOf(record)) {
      this.#write(slot, record)
    }
    this.#tables.events.flush(true)
    guards.won(slot)
    return OK
  }

  /** Does what was read read the same now, and can what was written be as it was meant? */
  #isValid(slot: number, record: number): boolean {
    const { nodes, perms } = this.#tables
    const records = this.#records
    const flags = records.flagsOf(record)
    const node = records.nodeOf(record)
    const exists = nodes.exists(node)
    if ((flags & TORN) !== 0) return false
    if ((flags & READ_EXISTENCE) !== 0 && exists !== ((flags & WAS_PRESENT) !== 0)) return false
    if ((flags & READ_VALUE) !== 0 && !this.#isValueUnchanged(record, node)) return false
    if ((flags & READ_CHILDREN) !== 0) {
      if (!exists) return false
      if (!this.#areChildrenUnchanged(record, node)) return false
    }
    if ((flags & READ_PERMS) !== 0) {
      if (!exists || nodes.permsOf(node) !== records.readPermsOf(record)) return false
    }
    if ((flags & WROTE_PERMS) !== 0 && !perms.isOwnerAlive(records.permsOf(record))) return false
    if ((flags & CREATED) === 0) return true
    const inherited = records.inheritedOf(record)
    if (!perms.isOwnerAlive(inherited)) return false
    // Someone else has made it meanwhile: what was made below must have inherited the same.
    return !exists || nodes.permsOf(node) === inherited || this.#transactions.isDeleted(slot, node)
  }

  #isValueUnchanged(record: number, node: number): boolean {
    const { nodes, arena } = this.#tables
    const records = this.#records
    if (!nodes.exists(node)) return false
    if (nodes.valueGenerationOf(node) === records.readValueGenerationOf(record)) return true
    const start = arena.startOf(records.readValueOf(record))
    const end = start + records.readValueLengthOf(record)
    return arena.equals(nodes.valueOf(node), nodes.valueLengthOf(node), arena.bytes, start, end)
  }

  #areChildrenUnchanged(record: number, node: number): boolean {
    const { nodes, childrenDigest } = this.#tables
    const generation = this.#records.readChildrenGenerationOf(record)
    if (nodes.childrenGenerationOf(node) === generation) return true
    childrenDigest.take(node)
    return this.#records.hasReadChildren(record, childrenDigest)
  }

  /** One event for a changed node; with a deleted one, for each watched node below it. */
  #noteEvents(slot: number, record: number): void {
    const { tree, nodes, events } = this.#tables
    const records = this.#records
    const flags = records.flagsOf(record)
    if ((flags & CHANGED) === 0) return
    const node = records.nodeOf(record)
    const exists = nodes.exists(node)
    if (!exists && (flags & CREATED) === 0) return
    const isOnlyEnsured = (flags & (CREATED | DELETED | WROTE_VALUE | WROTE_PERMS)) === CREATED
    if (isOnlyEnsured && exists && !this.#transactions.isDeleted(slot, node)) return
    events.push(node, false)
    if ((flags & DELETED) === 0 || !exists) return
    for (let at = node; at !== 0; ) {
      const own = at === node || nodes.pinsOf(at) === 0 ? 0 : records.find(slot, at)
      const isTold = own !== 0 && records.has(own, CHANGED)
      if (at !== node && !isTold && nodes.firstWatchOf(at) !== 0) events.push(at, true)
      at = tree.nextInSubtree(node, at, own !== 0 && records.has(own, DELETED))
    }
  }

  #write(slot: number, record: number): void {
    const { tree, perms } = this.#tables
    const records = this.#records
    const node = records.nodeOf(record)
    if (records.has(record, CREATED)) this.#make(slot, node)
    if (records.has(record, WROTE_VALUE)) {
      tree.adoptValue(node, records.valueOf(record), records.valueLengthOf(record))
      records.setValue(record, 0, 0)
    }
    if (records.has(record, WROTE_PERMS)) {
      perms.use(records.permsOf(record))
      tree.setPerms(node, records.permsOf(record))
    }
  }

  /** Makes a node unless it is there, and before it those above it that the transaction makes. */
  #make(slot: number, node: number): void {
    const { tree, nodes, perms } = this.#tables
    let length = 0
    for (let at = node; !nodes.exists(at); at = nodes.parentOf(at)) this.#chain[length++] = at
    while (length > 0) {
      const at = this.#chain[--length] as number
      const record = this.#records.find(slot, at)
      if (record === 0) throw new Error(`commit: nobody makes node ${at}`)
      const inherited = this.#records.inheritedOf(record)
      perms.use(inherited)
      tree.create(at, inherited)
    }
  }
}
