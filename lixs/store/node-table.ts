/**
 * Nodes as rows, and the three lists that run through them. 112 bytes each.
 *
 * ```
 * words 0 … 21    parent, name, value, perms; children; owner's list; watches; pins; see below
 * words 22 … 25   two generations (64-bit floats): of the value, of the child list
 *
 * children:  firstChild ⇄ … ⇄ lastChild, in creation order
 * owned:     DomainRecords.firstNode ⇄ … ⇄ lastNode, all nodes of one owner
 * watches:   firstWatch → … (WatchTable)
 * ```
 *
 * A *ghost* is a row whose node does not exist: a watch waits for it, or a transaction has looked
 * for it or is going to make it. Ghosts have a parent and a name and are found like nodes, but are in no list
 * of children and have neither value nor permissions. Creating the node makes the ghost a node, with
 * the same id; deleting a node that someone still holds makes it a ghost. A ghost counts for the
 * unprivileged domain that looked for it first, or that owned the node that it was.
 */
import { DOM0 } from '../../native/hypervisor.ts'
import type { StateMemory } from '../../native/os/state-memory.ts'
import type { DomainRecords } from './domains.ts'
import type { Principal } from './principal.ts'
import { RowTable } from './row-table.ts'

const STRIDE = 28
const PARENT = 0
const EXISTS = 1
const NAME = 2
const NAME_LENGTH = 3
const VALUE = 4
const VALUE_LENGTH = 5
const PERMS = 6
const FIRST_CHILD = 7
const LAST_CHILD = 8
const NEXT_SIBLING = 9
const PREVIOUS_SIBLING = 10
const CHILD_COUNT = 11
const CHILD_LIST_BYTES = 12
const GHOST_CHILDREN = 13
const PINS = 14
const OWNER = 15
const NEXT_OWNED = 16
const PREVIOUS_OWNED = 17
const FIRST_WATCH = 18
const LAST_WATCH = 19
/** Who pays for the ghost: a domain, as it is now; incarnation 0 = nobody. */
const PAYER = 20
const PAYER_INCARNATION = 21
const VALUE_GENERATION = 22
const CHILDREN_GENERATION = 24

/** What a node costs its owner beside name and value, in bytes. */
export const NODE_BYTES = 128

export class NodeTable {
  readonly #rows: RowTable
  readonly #domains: DomainRecords

  constructor(memory: StateMemory, capacity: number, domains: DomainRecords) {
    this.#rows = new RowTable(memory, 'store.nodes', STRIDE, capacity)
    this.#domains = domains
  }

  /** Nodes and ghosts. */
  get inUse(): number {
    return this.#rows.inUse
  }

  /** The rows themselves, for reports and checks. */
  get rows(): RowTable {
    return this.#rows
  }

  /** May `who` take this many rows more? */
  hasRoomFor(who: Principal, more: number): boolean {
    return this.#rows.hasRoomFor(who, more)
  }

  /** @returns a ghost without name; 0 when the table is full */
  allocate(parent: number): number {
    const id = this.#rows.allocate()
    if (id !== 0) this.#rows.set(id, PARENT, parent)
    return id
  }

  free(id: number): void {
    this.#rows.free(id)
  }

  parentOf(id: number): number {
    return this.#rows.get(id, PARENT)
  }

  exists(id: number): boolean {
    return this.#rows.get(id, EXISTS) === 1
  }

  setExists(id: number, exists: boolean): void {
    this.#rows.set(id, EXISTS, exists ? 1 : 0)
  }

  /** ValueArena ref. */
  nameOf(id: number): number {
    return this.#rows.get(id, NAME)
  }

  nameLengthOf(id: number): number {
    return this.#rows.get(id, NAME_LENGTH)
  }

  setName(id: number, ref: number, length: number): void {
    this.#rows.set(id, NAME, ref)
    this.#rows.set(id, NAME_LENGTH, length)
  }

  /** ValueArena ref. */
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

  permsOf(id: number): number {
    return this.#rows.get(id, PERMS)
  }

  setPerms(id: number, perms: number): void {
    this.#rows.set(id, PERMS, perms)
  }

  firstChildOf(id: number): number {
    return this.#rows.get(id, FIRST_CHILD)
  }

  nextSiblingOf(id: number): number {
    return this.#rows.get(id, NEXT_SIBLING)
  }

  previousSiblingOf(id: number): number {
    return this.#rows.get(id, PREVIOUS_SIBLING)
  }

  lastChildOf(id: number): number {
    return this.#rows.get(id, LAST_CHILD)
  }

  childCountOf(id: number): number {
    return this.#rows.get(id, CHILD_COUNT)
  }

  /** Length of the list that DIRECTORY gives: names and their NULs. */
  childListBytesOf(id: number): number {
    return this.#rows.get(id, CHILD_LIST_BYTES)
  }

  /** Puts a node at the end of its parent's children. */
  appendChild(parent: number, id: number): void {
    const rows = this.#rows
    const last = rows.get(parent, LAST_CHILD)
    rows.set(id, PREVIOUS_SIBLING, last)
    rows.set(id, NEXT_SIBLING, 0)
    if (last !== 0) rows.set(last, NEXT_SIBLING, id)
    else rows.set(parent, FIRST_CHILD, id)
    rows.set(parent, LAST_CHILD, id)
    rows.add(parent, CHILD_COUNT, 1)
    rows.add(parent, CHILD_LIST_BYTES, this.nameLengthOf(id) + 1)
  }

  removeChild(parent: number, id: number): void {
    const rows = this.#rows
    const next = rows.get(id, NEXT_SIBLING)
    const previous = rows.get(id, PREVIOUS_SIBLING)
    if (next !== 0) rows.set(next, PREVIOUS_SIBLING, previous)
    else rows.set(parent, LAST_CHILD, previous)
    if (previous !== 0) rows.set(previous, NEXT_SIBLING, next)
    else rows.set(parent, FIRST_CHILD, next)
    rows.add(parent, CHILD_COUNT, -1)
    rows.add(parent, CHILD_LIST_BYTES, -this.nameLengthOf(id) - 1)
  }

  ownerOf(id: number): number {
    return this.#rows.get(id, OWNER)
  }

  nextOwnedOf(id: number): number {
    return this.#rows.get(id, NEXT_OWNED)
  }

  previousOwnedOf(id: number): number {
    return this.#rows.get(id, PREVIOUS_OWNED)
  }

  /** Puts a node at the end of its owner's list. */
  appendOwned(domid: number, id: number): void {
    const rows = this.#rows
    const last = this.#domains.lastNodeOf(domid)
    rows.set(id, OWNER, domid)
    rows.set(id, PREVIOUS_OWNED, last)
    rows.set(id, NEXT_OWNED, 0)
    if (last !== 0) rows.set(last, NEXT_OWNED, id)
    else this.#domains.setFirstNode(domid, id)
    this.#domains.setLastNode(domid, id)
    this.#domains.addNodes(domid, 1)
  }

  removeOwned(id: number): void {
    const rows = this.#rows
    const domid = this.ownerOf(id)
    const next = rows.get(id, NEXT_OWNED)
    const previous = rows.get(id, PREVIOUS_OWNED)
    if (next !== 0) rows.set(next, PREVIOUS_OWNED, previous)
    else this.#domains.setLastNode(domid, previous)
    if (previous !== 0) rows.set(previous, NEXT_OWNED, next)
    else this.#domains.setFirstNode(domid, next)
    this.#domains.addNodes(domid, -1)
  }

  ghostChildrenOf(id: number): number {
    return this.#rows.get(id, GHOST_CHILDREN)
  }

  addGhostChildren(id: number, delta: number): void {
    this.#rows.add(id, GHOST_CHILDREN, delta)
  }

  /** A domain begins to pay for a ghost. @param domid 0: nobody does */
  chargeGhost(id: number, domid: number): void {
    if (domid === DOM0) return
    const incarnation = this.#domains.incarnationOf(domid)
    if (incarnation === 0) return
    this.#rows.set(id, PAYER, domid)
    this.#rows.set(id, PAYER_INCARNATION, incarnation)
    this.#domains.addGhosts(domid, 1)
  }

  /** The ghost becomes a node, or nothing. */
  dischargeGhost(id: number): void {
    const incarnation = this.#rows.get(id, PAYER_INCARNATION)
    if (incarnation === 0) return
    const domid = this.#rows.get(id, PAYER)
    // The next domain of the same number owes nothing.
    if (this.#domains.incarnationOf(domid) === incarnation) this.#domains.addGhosts(domid, -1)
    this.#rows.set(id, PAYER_INCARNATION, 0)
  }

  /** The domain that pays for the ghost; undefined: nobody, or one that is gone. */
  ghostPayerOf(id: number): number | undefined {
    const incarnation = this.#rows.get(id, PAYER_INCARNATION)
    const domid = this.#rows.get(id, PAYER)
    const isThere = incarnation !== 0 && this.#domains.incarnationOf(domid) === incarnation
    return isThere ? domid : undefined
  }

  /** How many transactions and pending events hold the row. */
  pinsOf(id: number): number {
    return this.#rows.get(id, PINS)
  }

  addPins(id: number, delta: number): void {
    this.#rows.add(id, PINS, delta)
  }

  firstWatchOf(id: number): number {
    return this.#rows.get(id, FIRST_WATCH)
  }

  lastWatchOf(id: number): number {
    return this.#rows.get(id, LAST_WATCH)
  }

  setFirstWatch(id: number, watch: number): void {
    this.#rows.set(id, FIRST_WATCH, watch)
  }

  setLastWatch(id: number, watch: number): void {
    this.#rows.set(id, LAST_WATCH, watch)
  }

  /** Does a watch, a transaction or a ghost below need this row, be the node there or not? */
  isHeld(id: number): boolean {
    const rows = this.#rows
    return (
      rows.get(id, PINS) !== 0 ||
      rows.get(id, FIRST_WATCH) !== 0 ||
      rows.get(id, GHOST_CHILDREN) !== 0
    )
  }

  valueGenerationOf(id: number): number {
    return this.#rows.getNumber(id, VALUE_GENERATION)
  }

  setValueGeneration(id: number, generation: number): void {
    this.#rows.setNumber(id, VALUE_GENERATION, generation)
  }

  childrenGenerationOf(id: number): number {
    return this.#rows.getNumber(id, CHILDREN_GENERATION)
  }

  setChildrenGeneration(id: number, generation: number): void {
    this.#rows.setNumber(id, CHILDREN_GENERATION, generation)
  }
}
