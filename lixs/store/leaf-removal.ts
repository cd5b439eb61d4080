/**
 * Deletes many children at once that nothing hangs on: no children of their own, and nobody holds their rows. What
 * they have in common is settled once for all of them; the rest is native code's.
 *
 * ```
 * children:  leaf ⇄ leaf ⇄ leaf ⇄ leaf ⇄ watched ⇄ leaf     those before the first that is not such a leaf
 * owned:     … ⇄ leaf ⇄ leaf ⇄ other ⇄ leaf ⇄ leaf ⇄ …       two runs: each leaves its owner's list in one go
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
    this.#leaves = new LeafRows({ buckets, links, nodes: nodes.rows.memory, ...arena.memory })
  }

  /**
   * Deletes the leaves at the front of a node's children, as far as there are only such. Generations are the
   * caller's.
   * @returns how many
   */
  removeFrom(parent: number): number {
    const nodes = this.#nodes
    const leaves = this.#leaves
    let first = nodes.firstChildOf(parent)
    let count = 0
    let nameBytes = 0
    while (first !== 0 && nodes.isFreeLeaf(first)) {
      const perms = nodes.permsOf(first)
      const owner = nodes.ownerOf(first)
      leaves.remove(first)
      const bytes = leaves.count * NODE_BYTES + leaves.nameBytes + leaves.valueBytes
      this.#domains.addMemory(owner, -bytes)
      nodes.removeOwned(first, leaves.last, leaves.count)
      this.#perms.release(perms, leaves.count)
      count += leaves.count
      nameBytes += leaves.nameBytes
      first = leaves.next
    }
    nodes.cutChildrenBefore(parent, first, count, nameBytes)
    return count
  }
}
