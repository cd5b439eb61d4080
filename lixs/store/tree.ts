/**
 * The nodes of the store and their bookkeeping: every change keeps children lists, owner lists,
 * accounting, generations and ghosts right. No rule of permission or quota is here.
 *
 * ```
 * 1  /                      2  (hidden)
 *    ├ tool                    ├ @introduceDomain
 *    │  └ xenstored            └ @releaseDomain
 *    └ …
 * ```
 *
 * All walks are loops: a path can be two thousand levels deep (XSA-418).
 */
import { DOM0 } from '../../native/hypervisor.ts'
import type { StateMemory } from '../../native/os/state-memory.ts'
import type { ChildIndex } from './child-index.ts'
import type { DomainRecords } from './domains.ts'
import { LeafRemoval, MANY_CHILDREN } from './leaf-removal.ts'
import { NODE_BYTES, type NodeTable } from './node-table.ts'
import { ParsedPath, parsePath } from './path.ts'
import type { Perms } from './perms.ts'
import type { ValueArena } from './value-arena.ts'

export const ROOT = 1
/** Parent of the special nodes; has no path. */
export const SPECIAL_ROOT = 2
/** The two special nodes, made first in every store. */
export const INTRODUCE_DOMAIN = 3
export const RELEASE_DOMAIN = 4
const FIRST_PATHS = ['@introduceDomain', '@releaseDomain', '/tool', '/tool/xenstored']
const GENERATION = 0
const NOBODYS_LIST = 1
const FREED_ROWS = 2

/** Who wants to know which nodes go, while they are still there. */
export interface Removals {
  /** @param isRoot the subtree's root, which comes last */
  willRemove(node: number, isRoot: boolean): void
}

export class Tree {
  readonly #nodes: NodeTable
  readonly #index: ChildIndex
  readonly #arena: ValueArena
  readonly #perms: Perms
  readonly #domains: DomainRecords
  readonly #globals: Float64Array
  readonly #leaves: LeafRemoval

  /** After `find`: the existing node that was reached last, and how many components led to it. */
  nearest = ROOT
  matched = 0

  constructor(
    memory: StateMemory,
    nodes: NodeTable,
    index: ChildIndex,
    arena: ValueArena,
    perms: Perms,
    domains: DomainRecords,
  ) {
    this.#nodes = nodes
    this.#index = index
    this.#arena = arena
    this.#perms = perms
    this.#domains = domains
    this.#leaves = new LeafRemoval(nodes, index, arena, perms, domains)
    this.#globals = memory.float64('store.globals', 16)
    if (nodes.inUse === 0) this.#plant()
  }

  /** From names to children, for a check. */
  get children(): ChildIndex {
    return this.#index
  }

  /** Number of the last change. */
  get generation(): number {
    return this.#globals[GENERATION] as number
  }

  /** What comes is newer than whatever a daemon before has told anybody. */
  startAfter(generation: number): void {
    this.#globals[GENERATION] = generation
  }

  /** How many rows have been freed so far: as long as it stays, every id is that of the same path. */
  get freedRows(): number {
    return this.#globals[FREED_ROWS] as number
  }

  /** The permission list `n0`; always there, also when there is room for no other. */
  get nobodysList(): number {
    return this.#globals[NOBODYS_LIST] as number
  }

  /** @returns the existing node at a path; 0 when there is none: `nearest` and `matched` tell more */
  find(path: ParsedPath): number {
    if (path.node !== 0) return path.node
    const count = path.count
    let node = path.isSpecial ? SPECIAL_ROOT : ROOT
    for (let i = 0; i < count; i++) {
      const child = this.#index.find(node, path.bytes, path.startOf(i), path.endOf(i))
      if (child === 0 || !this.#nodes.exists(child)) {
        this.nearest = node
        this.matched = i
        return 0
      }
      node = child
    }
    this.nearest = node
    this.matched = count
    return node
  }

  /** The child with this name, node or ghost; 0 = neither. */
  childNamed(parent: number, path: ParsedPath, component: number): number {
    return this.#index.find(parent, path.bytes, path.startOf(component), path.endOf(component))
  }

  /** The same for a name in any bytes. */
  rowNamed(parent: number, bytes: Uint8Array, start: number, end: number): number {
    return this.#index.find(parent, bytes, start, end)
  }

  /** The node or ghost at a path, as far as there are any; 0 = none. */
  findRow(path: ParsedPath): number {
    let node = path.isSpecial ? SPECIAL_ROOT : ROOT
    for (let i = 0; i < path.count && node !== 0; i++) node = this.childNamed(node, path, i)
    return node
  }

  /** How many components of a path have neither node nor ghost. */
  missingRows(path: ParsedPath): number {
    let node = path.isSpecial ? SPECIAL_ROOT : ROOT
    for (let i = 0; i < path.count; i++) {
      node = this.childNamed(node, path, i)
      if (node === 0) return path.count - i
    }
    return 0
  }

  /**
   * As `findRow`, but makes the ghosts that are missing.
   * @param payer whom they count for
   * @returns 0: no room, nothing made
   */
  ensureRow(path: ParsedPath, payer: number): number {
    let node = path.isSpecial ? SPECIAL_ROOT : ROOT
    for (let i = 0; i < path.count; i++) {
      const child = this.ensureChild(node, path, i, payer)
      if (child === 0) {
        this.dropGhosts(node)
        return 0
      }
      node = child
    }
    return node
  }

  /** The child with this name; if there is none, a new ghost, for `payer`. @returns 0: no room */
  ensureChild(parent: number, path: ParsedPath, component: number, payer: number): number {
    const found = this.childNamed(parent, path, component)
    if (found !== 0) return found
    const start = path.startOf(component)
    const end = path.endOf(component)
    const name = this.#arena.store(path.bytes, start, end)
    if (name === 0) return 0
    const id = this.#nodes.allocate(parent)
    if (id === 0) {
      this.#arena.free(name)
      return 0
    }
    this.#nodes.setName(id, name, end - start)
    this.#index.insert(id, path.bytes, start, end)
    this.#nodes.addGhostChildren(parent, 1)
    this.#nodes.chargeGhost(id, payer)
    return id
  }

  /** Makes a ghost a node. Its parent must exist. @param perms list that the node now uses */
  create(id: number, perms: number): void {
    const nodes = this.#nodes
    const parent = nodes.parentOf(id)
    nodes.dischargeGhost(id)
    nodes.addGhostChildren(parent, -1)
    nodes.setExists(id, true)
    nodes.appendChild(parent, id)
    nodes.setPerms(id, perms)
    const owner = this.#perms.ownerOf(perms)
    nodes.appendOwned(owner, id)
    this.#domains.addMemory(owner, NODE_BYTES + nodes.nameLengthOf(id))
    const generation = this.#nextGeneration()
    nodes.setValueGeneration(id, generation)
    nodes.setChildrenGeneration(id, generation)
    nodes.setChildrenGeneration(parent, generation)
  }

  /** @returns false: no room, nothing changed */
  setValue(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const nodes = this.#nodes
    const length = end - start
    const before = nodes.valueLengthOf(id)
    if (this.#arena.fits(before, length)) {
      this.#arena.overwrite(nodes.valueOf(id), bytes, start, end)
      this.#noteValue(id, nodes.valueOf(id), length)
      return true
    }
    const ref = this.#arena.store(bytes, start, end)
    if (ref === 0 && length !== 0) return false
    this.adoptValue(id, ref, length)
    return true
  }

  /** Gives a node a value that is in the arena already and belongs to it from now on. */
  adoptValue(id: number, ref: number, length: number): void {
    this.#arena.free(this.#nodes.valueOf(id))
    this.#noteValue(id, ref, length)
  }

  /** @param perms list that the node now uses */
  setPerms(id: number, perms: number): void {
    const nodes = this.#nodes
    const before = nodes.permsOf(id)
    const owner = this.#perms.ownerOf(perms)
    if (owner !== nodes.ownerOf(id)) {
      const bytes = this.#bytesOf(id)
      this.#domains.addMemory(nodes.ownerOf(id), -bytes)
      this.#domains.addMemory(owner, bytes)
      nodes.removeOwned(id)
      nodes.appendOwned(owner, id)
    }
    nodes.setPerms(id, perms)
    this.#perms.release(before)
    this.#nextGeneration()
  }

  /**
   * Deletes a node and everything below, children before parents.
   * @param removals if given, is asked for the root and for each descendant that is watched itself
   */
  deleteSubtree(root: number, removals: Removals | undefined): void {
    const nodes = this.#nodes
    let node = root
    this.#deleteManyLeaves(node)
    for (;;) {
      for (let child = nodes.firstChildOf(node); child !== 0; child = nodes.firstChildOf(node)) {
        node = child
        this.#deleteManyLeaves(node)
      }
      const parent = nodes.parentOf(node)
      const isRoot = node === root
      if (removals !== undefined && (isRoot || nodes.firstWatchOf(node) !== 0)) {
        removals.willRemove(node, isRoot)
      }
      this.#delete(node)
      if (isRoot) return
      node = parent
    }
  }

  /** The node after `node` in a walk of parents before children; 0 at the end of `root`'s subtree. */
  nextInSubtree(root: number, node: number, isSkippingChildren: boolean): number {
    const nodes = this.#nodes
    const child = isSkippingChildren ? 0 : nodes.firstChildOf(node)
    if (child !== 0) return child
    for (let at = node; at !== root; at = nodes.parentOf(at)) {
      const next = nodes.nextSiblingOf(at)
      if (next !== 0) return next
    }
    return 0
  }

  /** Frees a ghost that nobody holds, and up the path those that were there for it only. */
  dropGhosts(id: number): void {
    const nodes = this.#nodes
    let node = id
    while (!nodes.exists(node) && !nodes.isHeld(node)) {
      const parent = nodes.parentOf(node)
      this.#freeRow(node)
      nodes.addGhostChildren(parent, -1)
      node = parent
    }
  }

  /** The topmost ancestor that the node's owner owns; the node itself if there is none. */
  topmostOwned(id: number): number {
    const nodes = this.#nodes
    const owner = nodes.ownerOf(id)
    let top = id
    for (let at = nodes.parentOf(id); at !== 0; at = nodes.parentOf(at)) {
      if (nodes.ownerOf(at) === owner) top = at
    }
    return top
  }

  /** Levels from the root. */
  depthOf(id: number): number {
    let depth = 0
    for (let at = this.#nodes.parentOf(id); at !== 0; at = this.#nodes.parentOf(at)) depth++
    return depth
  }

  isSpecial(id: number): boolean {
    let node = id
    while (this.#nodes.parentOf(node) !== 0) node = this.#nodes.parentOf(node)
    return node === SPECIAL_ROOT
  }

  /** Writes a node's path so that it ends at byte `end`. @returns where it begins */
  pathInto(id: number, into: Uint8Array, end: number): number {
    const nodes = this.#nodes
    let at = end
    let node = id
    for (; node !== ROOT && node !== SPECIAL_ROOT; node = nodes.parentOf(node)) {
      const length = nodes.nameLengthOf(node)
      at -= length
      this.#arena.copyTo(nodes.nameOf(node), length, into, at)
      if (nodes.parentOf(node) !== SPECIAL_ROOT) into[--at] = 0x2f
    }
    if (at === end) into[--at] = 0x2f
    return at
  }

  /** Deletes those children on which nothing hangs, if it has so many that they are worth the way. */
  #deleteManyLeaves(parent: number): void {
    if (this.#nodes.childCountOf(parent) < MANY_CHILDREN) return
    const count = this.#leaves.removeFrom(parent)
    if (count === 0) return
    this.#globals[FREED_ROWS] = this.freedRows + count
    this.#nodes.setChildrenGeneration(parent, this.#nextGeneration())
  }

  #delete(id: number): void {
    const nodes = this.#nodes
    const parent = nodes.parentOf(id)
    this.#domains.addMemory(nodes.ownerOf(id), -this.#bytesOf(id))
    nodes.removeOwned(id)
    nodes.removeChild(parent, id)
    nodes.setChildrenGeneration(parent, this.#nextGeneration())
    this.#arena.free(nodes.valueOf(id))
    this.#perms.release(nodes.permsOf(id))
    if (!nodes.isHeld(id)) {
      this.#freeRow(id)
      return
    }
    nodes.setExists(id, false)
    nodes.setValue(id, 0, 0)
    nodes.setPerms(id, 0)
    nodes.addGhostChildren(parent, 1)
    nodes.chargeGhost(id, nodes.ownerOf(id))
  }

  #freeRow(id: number): void {
    this.#globals[FREED_ROWS] = this.freedRows + 1
    this.#index.remove(id)
    this.#nodes.dischargeGhost(id)
    this.#arena.free(this.#nodes.nameOf(id))
    this.#nodes.free(id)
  }

  #noteValue(id: number, ref: number, length: number): void {
    const nodes = this.#nodes
    this.#domains.addMemory(nodes.ownerOf(id), length - nodes.valueLengthOf(id))
    nodes.setValue(id, ref, length)
    nodes.setValueGeneration(id, this.#nextGeneration())
  }

  /** What the node's owner is charged for it. */
  #bytesOf(id: number): number {
    return NODE_BYTES + this.#nodes.nameLengthOf(id) + this.#nodes.valueLengthOf(id)
  }

  #nextGeneration(): number {
    const generation = this.generation + 1
    this.#globals[GENERATION] = generation
    return generation
  }

  #plant(): void {
    const nobody = this.#perms.internOwner(0, DOM0)
    for (const root of [ROOT, SPECIAL_ROOT]) {
      if (this.#nodes.allocate(0) !== root) throw new Error('the roots are not the first nodes')
      this.#nodes.setExists(root, true)
      this.#nodes.setPerms(root, nobody)
      this.#perms.use(nobody)
    }
    this.#nodes.appendOwned(DOM0, ROOT)
    this.#domains.addMemory(DOM0, NODE_BYTES)
    const path = new ParsedPath()
    for (const text of FIRST_PATHS) {
      const bytes = Buffer.from(text, 'latin1')
      parsePath(bytes, 0, bytes.length, DOM0, path, 0)
      this.#perms.use(nobody)
      this.create(this.ensureRow(path, DOM0), nobody)
    }
    // Stays in use for ever: see `nobodysList`.
    this.#globals[NOBODYS_LIST] = nobody
  }
}
