/**
 * From a change to watch events: finds the watches, asks whether each watcher may know, and hands
 * the event over.
 *
 * A change that removes nodes or concerns several is first written down, then made, then told: the
 * queue keeps what must be known of a node from before (its permissions, its parent's) and keeps
 * the rows alive meanwhile. It is empty whenever no store function runs, so it is not state.
 *
 * @see tools/xenstored/watch.c, watch_permitted; XSA-115
 */
import type { Connections } from './connections.ts'
import type { NodeTable } from './node-table.ts'
import { PERM_READ, type Perms } from './perms.ts'
import type { Removals, Tree } from './tree.ts'
import type { ValueArena } from './value-arena.ts'
import { ALL_LEVELS, type Watches } from './watches.ts'

/**
 * Where the store puts watch events, in the order in which they are to arrive, before the function
 * that caused them returns.
 *
 * @param path absolute path of the change, or the part that the watcher is to see: already cut when
 *   the watch was registered with a relative path. All four ranges are valid during the call only.
 * @param isSpecial paths beginning with '@', whose events are never coalesced
 */
export interface EventSink {
  watchEvent(
    connection: number,
    path: Uint8Array,
    pathStart: number,
    pathEnd: number,
    token: Uint8Array,
    tokenStart: number,
    tokenEnd: number,
    isSpecial: boolean,
  ): void
}

const STRIDE = 4
const NODE = 0
const OLD_PERMS = 1
const PARENT_PERMS = 2
const IS_EXACT = 3

const SLASH = 0x2f
const AT = 0x40
/** Longest path of a node: a payload and the longest home prefix. */
const PATH_BYTES = 8192

export class EventQueue implements Removals {
  readonly #nodes: NodeTable
  readonly #tree: Tree
  readonly #arena: ValueArena
  readonly #perms: Perms
  readonly #watches: Watches
  readonly #connections: Connections
  readonly #sink: EventSink
  readonly #path = new Uint8Array(PATH_BYTES)
  #rows = new Int32Array(256 * STRIDE)
  #count = 0
  /** Those before are told and let go. */
  #told = 0
  /** As `flush` has it. */
  #isCommit = false

  constructor(
    tables: {
      readonly nodes: NodeTable
      readonly tree: Tree
      readonly arena: ValueArena
      readonly perms: Perms
      readonly watches: Watches
      readonly connections: Connections
    },
    sink: EventSink,
  ) {
    this.#nodes = tables.nodes
    this.#tree = tables.tree
    this.#arena = tables.arena
    this.#perms = tables.perms
    this.#watches = tables.watches
    this.#connections = tables.connections
    this.#sink = sink
  }

  /** A node that exists has changed: tells everyone at once. @param oldPerms if they changed; or 0 */
  fire(node: number, oldPerms: number): void {
    this.#tell(node, oldPerms, 0, false)
  }

  /** Tells a special event, as it is, to those who watch it without a depth. */
  fireBare(node: number): void {
    const count = this.#watches.collectSpecial(node, 0)
    if (count === 0) return
    const end = this.#path.length
    const start = this.#tree.pathInto(node, this.#path, end)
    for (let i = 0; i < count; i++) {
      const watch = this.#watches.matches[i] as number
      if (this.#watches.depthOf(watch) !== ALL_LEVELS) continue
      const connection = this.#watches.connectionOf(watch)
      if (this.#isPermitted(connection, node, 0, 0)) {
        this.#send(watch, connection, start, end, true)
      }
    }
  }

  /**
   * Something happened to a domain: tells `@releaseDomain` to those who watch just that, and
   * `@releaseDomain/7` to those who watch with a depth, or watch that domain only.
   * @param node INTRODUCE_DOMAIN or RELEASE_DOMAIN
   * @param isBare false: the others are told by `fireBare`, once for several domains
   */
  fireSpecial(node: number, domid: number, isBare: boolean): void {
    const end = this.#path.length
    let at = end
    let rest = domid
    do {
      this.#path[--at] = 0x30 + (rest % 10)
      rest = Math.floor(rest / 10)
    } while (rest > 0)
    const below = this.#tree.rowNamed(node, this.#path, at, end)
    const count = this.#watches.collectSpecial(node, below)
    if (count === 0) return
    this.#path[--at] = SLASH
    const start = this.#tree.pathInto(node, this.#path, at)
    for (let i = 0; i < count; i++) {
      const watch = this.#watches.matches[i] as number
      const depth = this.#watches.depthOf(watch)
      const isOfDomain = this.#watches.nodeOf(watch) === below || depth > 0
      if (!isOfDomain && (depth !== ALL_LEVELS || !isBare)) continue
      const connection = this.#watches.connectionOf(watch)
      if (!this.#isPermitted(connection, node, 0, 0)) continue
      this.#send(watch, connection, start, isOfDomain ? end : at, true)
    }
  }

  /** Notes an event of a node or ghost, with the permissions that it and its parent have now. */
  push(node: number, isExact: boolean): void {
    if ((this.#count + 1) * STRIDE > this.#rows.length) this.#grow()
    const parent = this.#nodes.parentOf(node)
    const oldPerms = this.#nodes.permsOf(node)
    const parentPerms = parent === 0 ? 0 : this.#nodes.permsOf(parent)
    if (oldPerms !== 0) this.#perms.use(oldPerms)
    if (parentPerms !== 0) this.#perms.use(parentPerms)
    this.#nodes.addPins(node, 1)
    const at = this.#count * STRIDE
    this.#rows[at + NODE] = node
    this.#rows[at + OLD_PERMS] = oldPerms
    this.#rows[at + PARENT_PERMS] = parentPerms
    this.#rows[at + IS_EXACT] = isExact ? 1 : 0
    this.#count++
  }

  willRemove(node: number, isRoot: boolean): void {
    this.push(node, !isRoot)
  }

  /**
   * Tells everything that was noted, in that order.
   * @param isCommit of nodes that are gone only they are told who could read the node itself
   */
  flush(isCommit = false): void {
    this.#isCommit = isCommit
    while (this.#told < this.#count) {
      const at = this.#told * STRIDE
      const node = this.#rows[at + NODE] as number
      const oldPerms = this.#rows[at + OLD_PERMS] as number
      const parentPerms = this.#rows[at + PARENT_PERMS] as number
      this.#tell(node, oldPerms, parentPerms, this.#rows[at + IS_EXACT] === 1)
      this.#letGo()
    }
    this.#isCommit = false
    this.#count = 0
    this.#told = 0
  }

  /**
   * Forgets, untold, what a request has left here that ended by a throw; for the beginning of every
   * function that notes events.
   */
  reset(): void {
    this.#isCommit = false
    while (this.#told < this.#count) this.#letGo()
    this.#count = 0
    this.#told = 0
  }

  /** Releases what the first row that is not told holds. */
  #letGo(): void {
    const at = this.#told++ * STRIDE
    const node = this.#rows[at + NODE] as number
    this.#perms.release(this.#rows[at + OLD_PERMS] as number)
    this.#perms.release(this.#rows[at + PARENT_PERMS] as number)
    this.#nodes.addPins(node, -1)
    this.#tree.dropGhosts(node)
  }

  #tell(node: number, oldPerms: number, parentPerms: number, isExact: boolean): void {
    const count = this.#watches.collect(node, isExact)
    if (count === 0) return
    const end = this.#path.length
    const start = this.#tree.pathInto(node, this.#path, end)
    const isSpecial = this.#path[start] === AT
    for (let i = 0; i < count; i++) {
      const watch = this.#watches.matches[i] as number
      const connection = this.#watches.connectionOf(watch)
      if (!this.#isPermitted(connection, node, oldPerms, parentPerms)) continue
      const hidden = this.#watches.hiddenPrefixOf(watch)
      this.#send(watch, connection, start + hidden, end, isSpecial)
    }
  }

  #send(watch: number, connection: number, start: number, end: number, isSpecial: boolean): void {
    const token = this.#arena.startOf(this.#watches.tokenOf(watch))
    this.#sink.watchEvent(
      connection,
      this.#path,
      start,
      end,
      this.#arena.bytes,
      token,
      token + this.#watches.tokenLengthOf(watch),
      isSpecial,
    )
  }

  /** The node or its parent is readable now, or was before they were changed or removed. */
  #isPermitted(connection: number, node: number, oldPerms: number, parentPerms: number): boolean {
    if (this.#connections.isPrivileged(connection)) return true
    const domid = this.#connections.domidOf(connection)
    const nodes = this.#nodes
    if (nodes.exists(node) && this.#isReadable(nodes.permsOf(node), domid)) return true
    if (this.#isReadable(oldPerms, domid)) return true
    // As C's watch_permitted, which finds neither the node nor its parent after a commit.
    if (this.#isCommit && !nodes.exists(node)) return false
    const parent = nodes.parentOf(node)
    if (parent === 0) return false
    return this.#isReadable(nodes.exists(parent) ? nodes.permsOf(parent) : parentPerms, domid)
  }

  #isReadable(perms: number, domid: number): boolean {
    return perms !== 0 && (this.#perms.rightsOf(perms, domid) & PERM_READ) !== 0
  }

  #grow(): void {
    const wider = new Int32Array(this.#rows.length * 2)
    wider.set(this.#rows)
    this.#rows = wider
  }
}
