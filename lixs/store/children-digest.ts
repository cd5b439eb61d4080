/**
 * Count and hash of a node's child names in order: enough to say whether a list reads the same as
 * before, without a copy of it.
 *
 * The two words of hash begin with different secrets, drawn once, so that nobody can make another
 * list of the same digest.
 */
import { randomInt } from 'node:crypto'
import type { StateMemory } from '../../native/os/state-memory.ts'
import { hashBytes } from './hash-index.ts'
import type { NodeTable } from './node-table.ts'
import type { ValueArena } from './value-arena.ts'

export class ChildrenDigest {
  readonly #nodes: NodeTable
  readonly #arena: ValueArena
  readonly #seeds: Int32Array
  /** Of the node that `take` was called with last. */
  count = 0
  hash = 0
  hash2 = 0

  constructor(memory: StateMemory, nodes: NodeTable, arena: ValueArena) {
    this.#nodes = nodes
    this.#arena = arena
    this.#seeds = memory.int32('store.digest', 2)
    for (let i = 0; i < 2; i++) if (this.#seeds[i] === 0) this.#seeds[i] = randomInt(1, 2 ** 31)
  }

  /** Computes the digest of a node's present children. Cost: their names. */
  take(node: number): void {
    const nodes = this.#nodes
    const { bytes } = this.#arena
    let hash = this.#seeds[0] as number
    let hash2 = this.#seeds[1] as number
    for (let child = nodes.firstChildOf(node); child !== 0; child = nodes.nextSiblingOf(child)) {
      const start = this.#arena.startOf(nodes.nameOf(child))
      const end = start + nodes.nameLengthOf(child)
      // Each name is finished by itself: `ab`, `c` is not `a`, `bc`.
      hash = hashBytes(hash, bytes, start, end)
      hash2 = hashBytes(hash2, bytes, start, end)
    }
    this.count = nodes.childCountOf(node)
    this.hash = hash
    this.hash2 = hash2
  }
}
