/**
 * Deletes many children at once that nothing hangs on: no children of their own, and nobody holds their rows. What
 * they have in common is settled once for all of them; the rest is native code's.
 *
 * ```
 * children:  leaf ⇄ leaf ⇄ watched ⇄ leaf ⇄ parent ⇄ leaf    what stays is watched ⇄ parent
 * accounts:  dom0, n0: 2 leaves, 71 bytes; domain 7, n7r8: 2 leaves, 9 bytes
 * ```
 */
import { LeafRows } from '../../native/leaf-rows.ts'
import type { ChildIndex } from './child-index.ts'
import type { DomainRecords } from './domains.ts'
import { NODE_BYTES, type NodeTable } from './node-table.ts'
import type { Perms } from './perms.ts'
import type { ValueArena } from './value-arena.ts'

/** With fewer children the way to native code costs more than it saves (bench/lixs/store/child-list.bench.ts). */
export const MANY_CHILDREN = 16

export class LeafRemoval {
  readonly #nodes: NodeTable
  readonly #perms: Perms
  readonly #domains: DomainRecords
  readonly #leaves: LeafRows

  constructor(
    nodes: NodeTable,
    index: ChildIndex,
    arena: ValueArena,
    perms: Perms,
    domains: DomainRecords,
  ) {
    this.#nodes = nodes
    this.#perms = perms
    this.#domains = domains
    const { buckets, links } = index.index.memory
    const tables = { buckets, links, nodes: nodes.rows.memory, domains: domains.rows.memory }
    this.#leaves = new LeafRows({ ...tables, ...arena.memory })
  }

  /**
   * Deletes those of a node's children that are leaves. Generations are the caller's.
   * @returns how many
   */
  removeFrom(parent: number): number {
    const leaves = this.#leaves
    let count = 0
    for (let from = this.#nodes.firstChildOf(parent); from !== 0; from = leaves.next) {
      leaves.remove(parent, from)
      this.#settle()
      count += leaves.count
    }
    return count
  }

  #settle(): void {
    const leaves = this.#leaves
    for (let i = 0; i < leaves.accounts; i++) {
      const owner = leaves.ownerOf(i)
      const count = leaves.countOf(i)
      this.#domains.addNodes(owner, -count)
      this.#domains.addMemory(owner, -(count * NODE_BYTES + leaves.bytesOf(i)))
      this.#perms.release(leaves.permsOf(i), count)
    }
  }
}
