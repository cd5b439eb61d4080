/**
 * The operations on nodes outside of any transaction.
 *
 * Everything that can fail is checked before the first change; events are told after the last.
 *
 * @see docs/misc/xenstore.txt, "Database read, write and permissions operations"
 */
import { DOM0 } from '../../native/hypervisor.ts'
import { OK, type Outcome, type XsErrno } from '../xs-errno.ts'
import { ChildList, writeGeneration } from './child-list.ts'
import { NODE_BYTES } from './node-table.ts'
import type { ParsedPath } from './path.ts'
import { PERM_OWNER, PERM_READ, PERM_WRITE } from './perms.ts'
import type { Principal } from './principal.ts'
import type { StoreTables } from './tables.ts'
import { ROOT } from './tree.ts'

const NOTHING = new Uint8Array(0)

export class LiveNodes {
  readonly #tables: StoreTables
  readonly #children: ChildList
  /**
   * Where the last part of a list ended that was asked for: child and its place in the list. Whoever asks for
   * the next part does not walk through all before. A generation is that of one list of one node only.
   */
  readonly #place = { node: 0, generation: -1, child: 0, position: 0 }

  constructor(tables: StoreTables) {
    this.#tables = tables
    this.#children = new ChildList(tables.nodes, tables.arena)
  }

  read(
    who: Principal,
    path: ParsedPath,
    into: Uint8Array,
    at: number,
    room: number,
  ): number | XsErrno {
    const { tree, nodes, arena } = this.#tables
    const node = tree.find(path)
    if (node === 0) return this.#missing(who, PERM_READ)
    if (!this.#may(who, node, PERM_READ)) return 'EACCES'
    const length = nodes.valueLengthOf(node)
    if (length > room) return 'E2BIG'
    arena.copyTo(nodes.valueOf(node), length, into, at)
    return length
  }

  directory(
    who: Principal,
    path: ParsedPath,
    into: Uint8Array,
    at: number,
    room: number,
  ): number | XsErrno {
    const { tree, nodes } = this.#tables
    const node = tree.find(path)
    if (node === 0) return this.#missing(who, PERM_READ)
    if (!this.#may(who, node, PERM_READ)) return 'EACCES'
    if (nodes.childListBytesOf(node) > room) return 'E2BIG'
    this.#children.begin(0, into, at, at + room)
    this.#addChildren(nodes.firstChildOf(node))
    return this.#children.end() - at
  }

  directoryPart(
    who: Principal,
    path: ParsedPath,
    offset: number,
    into: Uint8Array,
    at: number,
    room: number,
  ): number | XsErrno {
    const { tree, nodes } = this.#tables
    const node = tree.find(path)
    if (node === 0) return this.#missing(who, PERM_READ)
    if (!this.#may(who, node, PERM_READ)) return 'EACCES'
    const generation = nodes.childrenGenerationOf(node)
    const names = writeGeneration(generation, into, at)
    const place = this.#place
    const isSameList = place.generation === generation && place.node === node
    const goesOn = isSameList && offset >= place.position
    this.#children.begin(offset, into, names, at + room - 1, goesOn ? place.position : 0)
    if (offset < nodes.childListBytesOf(node)) {
      place.child = this.#addChildren(goesOn ? place.child : nodes.firstChildOf(node))
      place.node = node
      place.generation = generation
      place.position = this.#children.position
    }
    let end = this.#children.end()
    if (!this.#children.isCut) into[end++] = 0
    return end - at
  }

  getPerms(
    who: Principal,
    path: ParsedPath,
    into: Uint8Array,
    at: number,
    room: number,
  ): number | XsErrno {
    const { tree, nodes, perms } = this.#tables
    const node = tree.find(path)
    if (node === 0) return this.#missing(who, PERM_READ)
    if (!this.#may(who, node, PERM_READ)) return 'EACCES'
    const written = perms.format(nodes.permsOf(node), into, at, room)
    return written < 0 ? 'E2BIG' : written
  }

  write(who: Principal, path: ParsedPath, value: Uint8Array, start: number, end: number): Outcome {
    const { tree, events } = this.#tables
    const node = tree.find(path)
    if (node === 0) return this.#create(who, path, value, start, end)
    if (!this.#may(who, node, PERM_WRITE)) return 'EACCES'
    if (!who.isPrivileged) {
      const refusal = this.#refuseGrowth(who, node, end - start)
      if (refusal !== OK) return refusal
    }
    if (!tree.setValue(node, value, start, end)) return 'ENOMEM'
    events.fire(node, 0)
    return OK
  }

  mkdir(who: Principal, path: ParsedPath): Outcome {
    const node = this.#tables.tree.find(path)
    if (node === 0) return this.#create(who, path, NOTHING, 0, 0)
    return this.#may(who, node, PERM_WRITE) ? OK : 'EACCES'
  }

  rm(who: Principal, path: ParsedPath): Outcome {
    const { tree, events } = this.#tables
    const node = tree.find(path)
    if (node === 0) {
      const error = this.#missing(who, PERM_WRITE)
      return error === 'ENOENT' && tree.matched === path.count - 1 ? OK : error
    }
    if (!this.#may(who, node, PERM_WRITE)) return 'EACCES'
    if (node === ROOT) return 'EINVAL'
    events.reset()
    tree.deleteSubtree(node, events)
    events.flush()
    return OK
  }

  /** @param count permissions in the draft of `Perms`, all bound to living domains or to none */
  setPerms(who: Principal, path: ParsedPath, count: number): Outcome {
    const { tree, nodes, perms, events } = this.#tables
    const node = tree.find(path)
    if (node === 0) return this.#missing(who, PERM_WRITE)
    if (!this.#may(who, node, PERM_OWNER)) return 'EACCES'
    const before = nodes.permsOf(node)
    if (!who.isPrivileged && perms.draftDomid(0) !== perms.ownerOf(before)) return 'EPERM'
    if (count > perms.countOf(before)) {
      const { quota } = this.#tables
      const [value, names] = [nodes.valueLengthOf(node), nodes.childListBytesOf(node)]
      if (!quota.allowsNodeSize(who, count, value, names)) return 'ENOSPC'
    }
    const list = perms.intern(count)
    if (list === 0) return 'ENOMEM'
    perms.use(before)
    tree.setPerms(node, list)
    // Of a special node nothing is told: who watches it would take that for news of a domain.
    if (!path.isSpecial) events.fire(node, before)
    perms.release(before)
    return OK
  }

  #may(who: Principal, node: number, right: number): boolean {
    if (who.isPrivileged) return true
    const { nodes, perms } = this.#tables
    return (perms.rightsOf(nodes.permsOf(node), who.domid) & right) !== 0
  }

  /** Why a node was not found: only who may at the nearest ancestor learns that it is not there. */
  #missing(who: Principal, right: number): XsErrno {
    return this.#may(who, this.#tables.tree.nearest, right) ? 'ENOENT' : 'EACCES'
  }

  /** Adds a child and those behind it. @returns the first that was left out; 0: none */
  #addChildren(first: number): number {
    const { nodes } = this.#tables
    let child = first
    while (child !== 0) {
      this.#children.add(child)
      if (this.#children.isCut) break
      child = nodes.nextSiblingOf(child)
    }
    return child
  }

  #refuseGrowth(who: Principal, node: number, length: number): Outcome {
    const { nodes, perms, quota } = this.#tables
    const count = perms.countOf(nodes.permsOf(node))
    const before = nodes.valueLengthOf(node)
    if (
      length > before &&
      !quota.allowsNodeSize(who, count, length, nodes.childListBytesOf(node))
    ) {
      return 'ENOSPC'
    }
    return quota.allowsMemory(who, nodes.ownerOf(node), length - before) ? OK : 'ENOMEM'
  }

  /** Makes the node at a path that `find` has just not found, and the parents that are missing. */
  #create(
    who: Principal,
    path: ParsedPath,
    value: Uint8Array,
    start: number,
    end: number,
  ): Outcome {
    const { tree, nodes, perms, events, arena } = this.#tables
    const nearest = tree.nearest
    if (!this.#may(who, nearest, PERM_WRITE)) return 'EACCES'
    const refusal = this.#refuseCreation(who, path, end - start)
    if (refusal !== OK) return refusal
    const ref = arena.store(value, start, end)
    if (ref === 0 && end !== start) return 'ENOMEM'
    const list = perms.inherit(nodes.permsOf(nearest), who)
    const node = list === 0 ? 0 : this.#createChain(path, nearest, tree.matched, list)
    perms.release(list)
    if (node === 0) {
      arena.free(ref)
      return 'ENOMEM'
    }
    tree.adoptValue(node, ref, end - start)
    events.fire(node, 0)
    return OK
  }

  /** @returns the last one; 0: no room, and none of them is there */
  #createChain(path: ParsedPath, parent: number, first: number, list: number): number {
    const { tree, perms } = this.#tables
    let node = parent
    let top = 0
    for (let i = first; i < path.count; i++) {
      const child = tree.ensureChild(node, path, i, DOM0)
      if (child === 0) {
        if (top !== 0) tree.deleteSubtree(top, undefined)
        return 0
      }
      perms.use(list)
      tree.create(child, list)
      if (top === 0) top = child
      node = child
    }
    return node
  }

  #refuseCreation(who: Principal, path: ParsedPath, length: number): Outcome {
    const { tree, nodes, perms, quota } = this.#tables
    const nearest = tree.nearest
    const first = tree.matched
    const missing = path.count - first
    if (!nodes.hasRoomFor(who, missing)) return 'ENOMEM'
    if (who.isPrivileged) return OK
    if (!perms.hasRoomFor(who)) return 'ENOMEM'
    if (!quota.allowsNodes(who, missing)) return 'ENOSPC'
    const name = path.endOf(first) - path.startOf(first)
    const count = perms.countOf(nodes.permsOf(nearest))
    const childBytes = nodes.childListBytesOf(nearest) + name + 1
    if (!quota.allowsNodeSize(who, count, nodes.valueLengthOf(nearest), childBytes)) return 'ENOSPC'
    if (!quota.allowsNodeSize(who, count, length, 0)) return 'ENOSPC'
    const growth = missing * NODE_BYTES + path.length - path.startOf(first) + length
    return quota.allowsMemory(who, who.domid, growth) ? OK : 'ENOMEM'
  }
}
