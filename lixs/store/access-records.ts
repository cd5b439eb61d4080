/**
 * What a transaction has read and written of one node: at most one record per transaction and node.
 *
 * ```
 * transaction:  first record → … → last record      in order of first access
 * index:        (transaction, node) → record
 *
 * read:     existence, value (a copy and its generation), children (generation and hash), permissions (the list)
 * written:  value, permissions, CREATED, DELETED
 * ```
 *
 * Each field is recorded when it is read first, and a later read gives what was recorded. CREATED
 * means "there afterwards": made unless it is there at commit. DELETED means that what was there
 * before, with all below, goes first; both together are a fresh node in the place of an old one.
 */
import type { StateMemory } from '../../native/os/state-memory.ts'
import type { ChildrenDigest } from './children-digest.ts'
import { HashIndex, hashPair } from './hash-index.ts'
import type { Principal } from './principal.ts'
import { RowTable } from './row-table.ts'

export const READ_EXISTENCE = 1
/** With READ_EXISTENCE: it existed. */
export const WAS_PRESENT = 2
export const READ_VALUE = 4
export const READ_CHILDREN = 8
export const READ_PERMS = 16
export const DELETED = 32
export const CREATED = 64
export const WROTE_VALUE = 128
export const WROTE_PERMS = 256
/** The commit is to tell watchers of this node. */
export const CHANGED = 512
/** The answers about it differ from each other: there is no moment at which all of them are right. */
export const TORN = 1024

const STRIDE = 20
const TRANSACTION = 0
const NODE = 1
const NEXT = 2
const FLAGS = 3
const READ_VALUE_REF = 4
const READ_VALUE_LENGTH = 5
const READ_PERMS_LIST = 6
const VALUE = 7
const VALUE_LENGTH = 8
const INHERITED = 9
const PERMS = 10
/** By how much the transaction makes the node's list of children longer. */
const CHILD_BYTES = 11
const VALUE_GENERATION = 12
const CHILDREN_GENERATION = 14
/** Number of the children that were read, and two words of hash over their names in order. */
const CHILD_COUNT = 16
const CHILDREN_HASH = 17
const CHILDREN_HASH_2 = 18

export class AccessRecords {
  readonly #rows: RowTable
  readonly #index: HashIndex

  constructor(memory: StateMemory, capacity: number) {
    this.#rows = new RowTable(memory, 'store.access', STRIDE, capacity)
    this.#index = new HashIndex(memory, 'store.access', capacity)
  }

  /** The rows themselves, for reports and checks. */
  get rows(): RowTable {
    return this.#rows
  }

  get index(): HashIndex {
    return this.#index
  }

  get count(): number {
    return this.#rows.inUse
  }

  hasRoomFor(who: Principal): boolean {
    return this.#rows.hasRoomFor(who, 1)
  }

  /** @returns 0 when the transaction has none of this node */
  find(tx: number, node: number): number {
    const hash = hashPair(this.#index.seed, tx, node)
    for (let id = this.#index.first(hash); id !== 0; id = this.#index.next(id)) {
      if (this.#rows.get(id, NODE) === node && this.#rows.get(id, TRANSACTION) === tx) return id
    }
    return 0
  }

  /** @returns 0: no room */
  allocate(tx: number, node: number): number {
    const id = this.#rows.allocate()
    if (id === 0) return 0
    this.#rows.set(id, TRANSACTION, tx)
    this.#rows.set(id, NODE, node)
    this.#index.insert(id, hashPair(this.#index.seed, tx, node))
    return id
  }

  free(id: number): void {
    this.#index.remove(id)
    this.#rows.free(id)
  }

  /** Blocks of the arena that a record holds; 0 = none. */
  blocksOf(id: number): readonly number[] {
    return [this.readValueOf(id), this.valueOf(id)]
  }

  /** Permission lists that a record uses; 0 = none. */
  listsOf(id: number): readonly number[] {
    return [this.readPermsOf(id), this.inheritedOf(id), this.permsOf(id)]
  }

  nodeOf(id: number): number {
    return this.#rows.get(id, NODE)
  }

  /** The record of the node that the transaction accessed next. */
  nextOf(id: number): number {
    return this.#rows.get(id, NEXT)
  }

  setNext(id: number, next: number): void {
    this.#rows.set(id, NEXT, next)
  }

  flagsOf(id: number): number {
    return this.#rows.get(id, FLAGS)
  }

  has(id: number, flag: number): boolean {
    return (this.#rows.get(id, FLAGS) & flag) !== 0
  }

  mark(id: number, flags: number): void {
    this.#rows.set(id, FLAGS, this.#rows.get(id, FLAGS) | flags)
  }

  unmark(id: number, flags: number): void {
    this.#rows.set(id, FLAGS, this.#rows.get(id, FLAGS) & ~flags)
  }

  /** The copy of the value that was read: ValueArena ref. */
  readValueOf(id: number): number {
    return this.#rows.get(id, READ_VALUE_REF)
  }

  readValueLengthOf(id: number): number {
    return this.#rows.get(id, READ_VALUE_LENGTH)
  }

  readValueGenerationOf(id: number): number {
    return this.#rows.getNumber(id, VALUE_GENERATION)
  }

  setReadValue(id: number, ref: number, length: number, generation: number): void {
    this.#rows.set(id, READ_VALUE_REF, ref)
    this.#rows.set(id, READ_VALUE_LENGTH, length)
    this.#rows.setNumber(id, VALUE_GENERATION, generation)
    this.mark(id, READ_VALUE)
  }

  readChildrenGenerationOf(id: number): number {
    return this.#rows.getNumber(id, CHILDREN_GENERATION)
  }

  setReadChildren(id: number, generation: number, children: ChildrenDigest): void {
    this.#rows.setNumber(id, CHILDREN_GENERATION, generation)
    this.#rows.set(id, CHILD_COUNT, children.count)
    this.#rows.set(id, CHILDREN_HASH, children.hash)
    this.#rows.set(id, CHILDREN_HASH_2, children.hash2)
    this.mark(id, READ_CHILDREN)
  }

  /** Were these the children that were read? */
  hasReadChildren(id: number, children: ChildrenDigest): boolean {
    const rows = this.#rows
    return (
      rows.get(id, CHILD_COUNT) === children.count &&
      rows.get(id, CHILDREN_HASH) === children.hash &&
      rows.get(id, CHILDREN_HASH_2) === children.hash2
    )
  }

  readPermsOf(id: number): number {
    return this.#rows.get(id, READ_PERMS_LIST)
  }

  setReadPerms(id: number, perms: number): void {
    this.#rows.set(id, READ_PERMS_LIST, perms)
    this.mark(id, READ_PERMS)
  }

  /** The value written: ValueArena ref. */
  valueOf(id: number): number {
    return this.#rows.get(id, VALUE)
  }

  valueLengthOf(id: number): number {
    return this.#rows.get(id, VALUE_LENGTH)
  }

  setValue(id: number, ref: number, length: number): void {
    this.#rows.set(id, VALUE, ref)
    this.#rows.set(id, VALUE_LENGTH, length)
  }

  /** The list that a created node took from its parent. */
  inheritedOf(id: number): number {
    return this.#rows.get(id, INHERITED)
  }

  setInherited(id: number, perms: number): void {
    this.#rows.set(id, INHERITED, perms)
  }

  /** The list set by SET_PERMS. */
  permsOf(id: number): number {
    return this.#rows.get(id, PERMS)
  }

  setPerms(id: number, perms: number): void {
    this.#rows.set(id, PERMS, perms)
  }

  childBytesOf(id: number): number {
    return this.#rows.get(id, CHILD_BYTES)
  }

  addChildBytes(id: number, delta: number): void {
    this.#rows.add(id, CHILD_BYTES, delta)
  }
}
