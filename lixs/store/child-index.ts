/**
 * From (parent, name) to the child's id, ghosts included. Looking never inserts.
 *
 * The seed is drawn once per store, so that a guest cannot pick names that share a bucket.
 */
import { randomInt } from 'node:crypto'
import type { StateMemory } from '../../native/os/state-memory.ts'
import { HashIndex, hashBytes } from './hash-index.ts'
import type { NodeTable } from './node-table.ts'
import type { ValueArena } from './value-arena.ts'

export class ChildIndex {
  readonly #index: HashIndex
  readonly #nodes: NodeTable
  readonly #arena: ValueArena
  readonly #seed: number

  constructor(memory: StateMemory, capacity: number, nodes: NodeTable, arena: ValueArena) {
    this.#index = new HashIndex(memory, 'store.children', capacity)
    this.#nodes = nodes
    this.#arena = arena
    const seed = memory.int32('store.children.seed', 1)
    if (seed[0] === 0) seed[0] = randomInt(1, 2 ** 31)
    this.#seed = seed[0] as number
  }

  /** @returns node or ghost; 0 when there is neither */
  find(parent: number, bytes: Uint8Array, start: number, end: number): number {
    const index = this.#index
    const nodes = this.#nodes
    const hash = this.#hash(parent, bytes, start, end)
    for (let id = index.first(hash); id !== 0; id = index.next(id)) {
      if (
        index.hashOf(id) === hash &&
        nodes.parentOf(id) === parent &&
        this.#arena.equals(nodes.nameOf(id), nodes.nameLengthOf(id), bytes, start, end)
      ) {
        return id
      }
    }
    return 0
  }

  insert(id: number, bytes: Uint8Array, start: number, end: number): void {
    this.#index.insert(id, this.#hash(this.#nodes.parentOf(id), bytes, start, end))
  }

  remove(id: number): void {
    this.#index.remove(id)
  }

  #hash(parent: number, bytes: Uint8Array, start: number, end: number): number {
    return hashBytes(this.#seed ^ Math.imul(parent, 0x9e3779b1), bytes, start, end)
  }
}
