/**
 * All of a store, one thing after the other, for whoever writes it down: nothing is copied, and no
 * object is made per node.
 */
import type { Domid } from '../../native/hypervisor.ts'
import { LIMIT } from './domain-limits.ts'
import type { Quotas } from './quota.ts'
import type { StoreTables } from './tables.ts'
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN, ROOT } from './tree.ts'

/** Longest path of a node: a payload and the longest home prefix. */
const PATH_BYTES = 8192

export class StoreSnapshot {
  readonly #tables: StoreTables
  /** Of what was opened last: the path is path[pathStart … PATH_BYTES). */
  readonly path = new Uint8Array(PATH_BYTES)
  pathStart = 0
  readonly pathEnd = PATH_BYTES
  /** A node's value, or a watch's token, is bytes[start … end). */
  readonly bytes: Uint8Array
  start = 0
  end = 0
  #perms = 0

  constructor(tables: StoreTables) {
    this.#tables = tables
    this.bytes = tables.arena.bytes
  }

  /** Number of the last change. */
  get generation(): number {
    return this.#tables.tree.generation
  }

  // --- nodes: parents before children, children in their order

  firstNode(): number {
    return ROOT
  }

  /** @returns 0 behind the last one */
  nextNode(node: number): number {
    return this.#tables.tree.nextInSubtree(ROOT, node, false)
  }

  /** Those that have permissions and nothing else. */
  specialNodes(): readonly number[] {
    return [RELEASE_DOMAIN, INTRODUCE_DOMAIN]
  }

  openNode(node: number): void {
    const { tree, nodes, arena } = this.#tables
    this.pathStart = tree.pathInto(node, this.path, PATH_BYTES)
    this.start = arena.startOf(nodes.valueOf(node))
    this.end = this.start + nodes.valueLengthOf(node)
    this.#perms = nodes.permsOf(node)
  }

  /** Permissions of the node that is open. */
  permCount(): number {
    return this.#tables.perms.countOf(this.#perms)
  }

  /** PERM_READ and PERM_WRITE. */
  letterOf(entry: number): number {
    return this.#tables.perms.letterOf(this.#perms, entry)
  }

  domidOf(entry: number): number {
    return this.#tables.perms.domidOf(this.#perms, entry)
  }

  isStale(entry: number): boolean {
    return this.#tables.perms.isStale(this.#perms, entry)
  }

  // --- connections: watches in the order in which they were registered

  /** @returns 0: it has none */
  firstWatch(connection: number): number {
    return this.#tables.watches.oldestOf(connection)
  }

  nextWatch(watch: number): number {
    return this.#tables.watches.newerThan(watch)
  }

  /** The path becomes what was registered: a relative one is relative. */
  openWatch(watch: number): void {
    const { tree, watches, arena } = this.#tables
    const start = tree.pathInto(watches.nodeOf(watch), this.path, PATH_BYTES)
    this.pathStart = start + watches.hiddenPrefixOf(watch)
    this.start = arena.startOf(watches.tokenOf(watch))
    this.end = this.start + watches.tokenLengthOf(watch)
  }

  /** Levels; ALL_LEVELS without a limit. */
  depthOf(watch: number): number {
    return this.#tables.watches.depthOf(watch)
  }

  /** Transaction id that a connection was given last; 0 = none yet. */
  lastTxIdOf(connection: number): number {
    return this.#tables.connections.lastTxIdOf(connection)
  }

  // --- domains

  /** Domids with a record, ascending, without dom0. */
  domains(): readonly Domid[] {
    return this.#tables.domains.known()
  }

  isIntroduced(domid: Domid): boolean {
    return this.#tables.domains.isIntroduced(domid)
  }

  isShutdownReported(domid: Domid): boolean {
    return this.#tables.domains.isShutdownReported(domid)
  }

  /** -1 = none. */
  targetOf(domid: Domid): number {
    return this.#tables.domains.targetOf(domid)
  }

  /** FEATURE_… bits. */
  featuresOf(domid: Domid): number {
    return this.#tables.domains.featuresOf(domid)
  }

  /** 0 = unlimited. */
  limitOf(domid: Domid, key: keyof Quotas): number {
    return this.#tables.domains.limits.of(domid, LIMIT[key])
  }
}
