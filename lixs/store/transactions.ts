/**
 * Open transactions: whose they are, and the records of what they have read and written.
 *
 * ```
 * connection:  firstTransaction ⇄ …          ends with the connection
 * index:       (connection, id) → slot
 * slot:        first record → … (AccessRecords), each pins its node
 * ```
 *
 * Whatever a transaction keeps is charged to its connection's domain and given back at its end.
 */
import type { StateMemory } from '../../native/os/state-memory.ts'
import type { XsErrno } from '../xs-errno.ts'
import {
  AccessRecords,
  CREATED,
  DELETED,
  READ_EXISTENCE,
  WROTE_PERMS,
  WROTE_VALUE,
} from './access-records.ts'
import { Guards } from './guards.ts'
import { HashIndex, hashPair } from './hash-index.ts'
import { NODE_BYTES } from './node-table.ts'
import type { Principal } from './principal.ts'
import { RowTable } from './row-table.ts'
import type { StoreCapacity, StoreTables } from './tables.ts'
import { SHARED_LEVELS } from './watches.ts'

const STRIDE = 16
const CONNECTION = 0
const DOMID = 1
const TX_ID = 2
const FAILED = 3
const FIRST_RECORD = 4
const LAST_RECORD = 5
const RECORDS = 6
const NEXT = 7
const PREVIOUS = 8
/** Nodes that the transaction has made and not deleted again. */
const CREATED_NODES = 9
/** Counts creations and deletions: part of the generation that DIRECTORY_PART gives. */
const SHAPE_CHANGES = 10
const CHARGED = 12

const RECORD_BYTES = 96

export class Transactions {
  readonly records: AccessRecords
  readonly guards: Guards
  readonly #rows: RowTable
  readonly #index: HashIndex
  readonly #tables: StoreTables

  constructor(memory: StateMemory, capacity: StoreCapacity, tables: StoreTables) {
    this.records = new AccessRecords(memory, capacity.transactionNodes)
    this.#rows = new RowTable(memory, 'store.transactions', STRIDE, capacity.transactions)
    this.#index = new HashIndex(memory, 'store.transactions', capacity.transactions)
    this.#tables = tables
    this.guards = new Guards(tables, this)
  }

  /** The rows themselves, for reports and checks. */
  get rows(): RowTable {
    return this.#rows
  }

  get index(): HashIndex {
    return this.#index
  }

  /** Open ones, of all connections. */
  get count(): number {
    return this.#rows.inUse
  }

  /** @returns the new transaction's id */
  start(connection: number, who: Principal): number | XsErrno {
    const { connections, domains, quota } = this.#tables
    if (!quota.allowsTransaction(who) || !this.#rows.hasRoomFor(who, 1)) return 'ENOSPC'
    const slot = this.#rows.allocate()
    if (slot === 0) return 'ENOSPC'
    let txId = connections.nextTxId(connection)
    while (this.find(connection, txId) !== 0) txId = connections.nextTxId(connection)
    const rows = this.#rows
    rows.set(slot, CONNECTION, connection)
    rows.set(slot, DOMID, who.domid)
    rows.set(slot, TX_ID, txId)
    const first = connections.firstTransactionOf(connection)
    rows.set(slot, NEXT, first)
    if (first !== 0) rows.set(first, PREVIOUS, slot)
    connections.setFirstTransaction(connection, slot)
    this.#index.insert(slot, hashPair(this.#index.seed, connection, txId | 0))
    domains.addTransactions(who.domid, 1)
    this.guards.started(slot)
    return txId
  }

  /** @returns the slot; 0 when this connection has no such transaction */
  find(connection: number, txId: number): number {
    const hash = hashPair(this.#index.seed, connection, txId | 0)
    for (let slot = this.#index.first(hash); slot !== 0; slot = this.#index.next(slot)) {
      if (
        this.#index.hashOf(slot) === hash &&
        this.#rows.get(slot, TX_ID) >>> 0 === txId >>> 0 &&
        this.#rows.get(slot, CONNECTION) === connection
      ) {
        return slot
      }
    }
    return 0
  }

  /** Forgets a transaction and everything it holds. */
  drop(slot: number): void {
    const { connections, domains, nodes, tree } = this.#tables
    const rows = this.#rows
    this.guards.end(slot)
    for (let record = this.firstRecordOf(slot); record !== 0; ) {
      const next = this.records.nextOf(record)
      const node = this.records.nodeOf(record)
      this.#freeRecord(record)
      nodes.addPins(node, -1)
      tree.dropGhosts(node)
      record = next
    }
    const domid = rows.get(slot, DOMID)
    domains.addMemory(domid, -rows.getNumber(slot, CHARGED))
    domains.addTransactions(domid, -1)
    const next = rows.get(slot, NEXT)
    const previous = rows.get(slot, PREVIOUS)
    if (next !== 0) rows.set(next, PREVIOUS, previous)
    if (previous !== 0) rows.set(previous, NEXT, next)
    else connections.setFirstTransaction(rows.get(slot, CONNECTION), next)
    this.#index.remove(slot)
    rows.free(slot)
  }

  /** Forgets all transactions of a connection. */
  dropAll(connection: number): void {
    const { connections } = this.#tables
    for (
      let slot = connections.firstTransactionOf(connection);
      slot !== 0;
      slot = connections.firstTransactionOf(connection)
    ) {
      this.drop(slot)
    }
  }

  connectionOf(slot: number): number {
    return this.#rows.get(slot, CONNECTION)
  }

  domidOf(slot: number): number {
    return this.#rows.get(slot, DOMID)
  }

  /** From now on the commit can only fail, with ENOMEM. */
  fail(slot: number): void {
    this.#rows.set(slot, FAILED, 1)
  }

  hasFailed(slot: number): boolean {
    return this.#rows.get(slot, FAILED) === 1
  }

  firstRecordOf(slot: number): number {
    return this.#rows.get(slot, FIRST_RECORD)
  }

  nextOf(slot: number): number {
    return this.#rows.get(slot, NEXT)
  }

  txIdOf(slot: number): number {
    return this.#rows.get(slot, TX_ID) >>> 0
  }

  recordCountOf(slot: number): number {
    return this.#rows.get(slot, RECORDS)
  }

  /** Bytes charged to the transaction's domain. */
  chargeOf(slot: number): number {
    return this.#rows.getNumber(slot, CHARGED)
  }

  createdNodesOf(slot: number): number {
    return this.#rows.get(slot, CREATED_NODES)
  }

  addCreatedNodes(slot: number, delta: number): void {
    this.#rows.add(slot, CREATED_NODES, delta)
  }

  shapeChangesOf(slot: number): number {
    return this.#rows.get(slot, SHAPE_CHANGES)
  }

  noteShapeChange(slot: number): void {
    this.#rows.add(slot, SHAPE_CHANGES, 1)
  }

  /**
   * The record of a node; a new one at the end of the order if there is none. A refusal fails the
   * transaction.
   */
  recordOf(slot: number, who: Principal, node: number): number | XsErrno {
    const known = this.records.find(slot, node)
    if (known !== 0) return known
    const { nodes, tree, quota } = this.#tables
    const rows = this.#rows
    if (!quota.allowsTransactionNodes(who, rows.get(slot, RECORDS) + 1)) {
      this.fail(slot)
      return 'ENOSPC'
    }
    const levels = Math.max(1, tree.depthOf(node) - SHARED_LEVELS)
    if (!this.charge(slot, who, RECORD_BYTES + levels * NODE_BYTES)) return 'ENOMEM'
    // The node's row, if a ghost, was made just now; one that exists may become one.
    const hasRoom = nodes.hasRoomFor(who, 0) && this.records.hasRoomFor(who)
    if (!hasRoom || !quota.allowsGhosts(who, 0)) {
      this.fail(slot)
      return 'ENOMEM'
    }
    const record = this.records.allocate(slot, node)
    if (record === 0) {
      this.fail(slot)
      return 'ENOMEM'
    }
    nodes.addPins(node, 1)
    const last = rows.get(slot, LAST_RECORD)
    if (last !== 0) this.records.setNext(last, record)
    else rows.set(slot, FIRST_RECORD, record)
    rows.set(slot, LAST_RECORD, record)
    rows.add(slot, RECORDS, 1)
    return record
  }

  /** Children are listed in the order in which they were made, not in which they were looked for. */
  moveToEnd(slot: number, record: number): void {
    const rows = this.#rows
    const last = rows.get(slot, LAST_RECORD)
    if (record === last) return
    const next = this.records.nextOf(record)
    let before = 0
    for (let at = this.firstRecordOf(slot); at !== record; at = this.records.nextOf(at)) before = at
    if (before === 0) rows.set(slot, FIRST_RECORD, next)
    else this.records.setNext(before, next)
    this.records.setNext(last, record)
    this.records.setNext(record, 0)
    rows.set(slot, LAST_RECORD, record)
  }

  /** Does the transaction delete the live node, or one above it? */
  isDeleted(slot: number, node: number): boolean {
    const { nodes } = this.#tables
    for (let at = node; at !== 0; at = nodes.parentOf(at)) {
      if (nodes.pinsOf(at) === 0) continue
      const record = this.records.find(slot, at)
      if (record !== 0 && this.records.has(record, DELETED)) return true
    }
    return false
  }

  /** Takes back what the transaction has written below a node that it deletes. */
  forgetWritesBelow(slot: number, node: number): void {
    const { nodes } = this.#tables
    const { records } = this
    for (let record = this.firstRecordOf(slot); record !== 0; record = records.nextOf(record)) {
      if (!records.has(record, CREATED | WROTE_VALUE | WROTE_PERMS)) continue
      let at = nodes.parentOf(records.nodeOf(record))
      while (at !== 0 && at !== node) at = nodes.parentOf(at)
      if (at === node) this.forgetWrites(slot, record)
    }
  }

  /** Takes back what the transaction has written of a node. */
  forgetWrites(slot: number, record: number): void {
    const { records } = this
    const { arena, perms } = this.#tables
    if (records.has(record, CREATED)) {
      this.addCreatedNodes(slot, -1)
      // It was not there: what has been answered about it since is true only if that stays so.
      const isNoted = records.has(record, READ_EXISTENCE)
      if (!isNoted && !this.isDeleted(slot, records.nodeOf(record))) {
        records.mark(record, READ_EXISTENCE)
      }
    }
    arena.free(records.valueOf(record))
    records.setValue(record, 0, 0)
    perms.release(records.inheritedOf(record))
    records.setInherited(record, 0)
    perms.release(records.permsOf(record))
    records.setPerms(record, 0)
    records.addChildBytes(record, -records.childBytesOf(record))
    records.unmark(record, CREATED | WROTE_VALUE | WROTE_PERMS)
  }

  /** Charges the transaction's domain. @returns false: too much, the transaction has failed */
  charge(slot: number, who: Principal, bytes: number): boolean {
    if (!this.#tables.quota.allowsMemory(who, who.domid, bytes)) {
      this.fail(slot)
      return false
    }
    this.#rows.setNumber(slot, CHARGED, this.#rows.getNumber(slot, CHARGED) + bytes)
    this.#tables.domains.addMemory(this.domidOf(slot), bytes)
    return true
  }

  #freeRecord(record: number): void {
    const { arena, perms } = this.#tables
    arena.free(this.records.readValueOf(record))
    arena.free(this.records.valueOf(record))
    perms.release(this.records.readPermsOf(record))
    perms.release(this.records.inheritedOf(record))
    perms.release(this.records.permsOf(record))
    this.records.free(record)
  }
}
