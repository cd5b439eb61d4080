/**
 * What a transaction of an unprivileged domain may still make, counted with what it takes away: its
 * own nodes that it deletes make room for others.
 */
import { OK, type Outcome } from '../xs-errno.ts'
import { type AccessRecords, CREATED, DELETED, WROTE_VALUE } from './access-records.ts'
import type { Principal } from './principal.ts'
import type { StoreTables } from './tables.ts'
import type { Transactions } from './transactions.ts'

export class TransactionQuota {
  readonly #tables: StoreTables
  readonly #transactions: Transactions
  readonly #records: AccessRecords

  constructor(tables: StoreTables, transactions: Transactions) {
    this.#tables = tables
    this.#transactions = transactions
    this.#records = transactions.records
  }

  /** May the transaction make this many nodes more? */
  allowsNodes(slot: number, who: Principal, more: number): boolean {
    const { quota } = this.#tables
    const made = this.#transactions.createdNodesOf(slot) + more
    // What goes is counted only when it matters: that is a walk.
    return quota.allowsNodes(who, made) || quota.allowsNodes(who, made - this.#nodesGone(slot, who))
  }

  /** Does what is committed now fit? @returns ENOSPC: nodes; ENOMEM: bytes of another owner */
  checkCommit(slot: number): Outcome {
    const { connections, nodes, quota } = this.#tables
    const who = connections.principalOf(this.#transactions.connectionOf(slot))
    if (who.isPrivileged) return OK
    const records = this.#records
    let made = 0
    let isOthersWritten = false
    const first = this.#transactions.firstRecordOf(slot)
    for (let record = first; record !== 0; record = records.nextOf(record)) {
      const node = records.nodeOf(record)
      if (records.has(record, CREATED)) {
        if (!nodes.exists(node) || this.#transactions.isDeleted(slot, node)) made++
      } else if (records.has(record, WROTE_VALUE) && nodes.ownerOf(node) !== who.domid) {
        isOthersWritten = true
      }
    }
    if (made > 0 && !quota.allowsNodes(who, made - this.#nodesGone(slot, who))) return 'ENOSPC'
    return isOthersWritten && !this.#isOthersMemoryAllowed(slot, who) ? 'ENOMEM' : OK
  }

  /** Live nodes of `who` that the transaction deletes. */
  #nodesGone(slot: number, who: Principal): number {
    const { nodes } = this.#tables
    const records = this.#records
    let gone = 0
    const first = this.#transactions.firstRecordOf(slot)
    for (let record = first; record !== 0; record = records.nextOf(record)) {
      const node = records.nodeOf(record)
      if (!records.has(record, DELETED) || !nodes.exists(node)) continue
      if (!this.#transactions.isDeleted(slot, nodes.parentOf(node)))
        gone += this.#ownedBelow(node, who.domid)
    }
    return gone
  }

  /** How many nodes of a subtree a domain owns. */
  #ownedBelow(root: number, domid: number): number {
    const { tree, nodes } = this.#tables
    let count = 0
    for (let node = root; node !== 0; node = tree.nextInSubtree(root, node, false)) {
      if (nodes.ownerOf(node) === domid) count++
    }
    return count
  }

  /** By how much the values of other owners' nodes become longer: is that allowed to each of them? */
  #isOthersMemoryAllowed(slot: number, who: Principal): boolean {
    const { nodes, quota } = this.#tables
    const records = this.#records
    const growths = new Map<number, number>()
    const first = this.#transactions.firstRecordOf(slot)
    for (let record = first; record !== 0; record = records.nextOf(record)) {
      if (records.has(record, CREATED) || !records.has(record, WROTE_VALUE)) continue
      const node = records.nodeOf(record)
      const owner = nodes.ownerOf(node)
      if (owner === who.domid) continue
      const growth = records.valueLengthOf(record) - nodes.valueLengthOf(node)
      growths.set(owner, (growths.get(owner) ?? 0) + growth)
    }
    for (const [owner, growth] of growths) {
      if (!quota.allowsMemory(who, owner, growth)) return false
    }
    return true
  }
}
