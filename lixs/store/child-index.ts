/**
 * From (parent, name) to the child's id, ghosts included. Looking never inserts.
 */
import type { StateMemory } from '../../native/os/state-memory.ts'
import { HashIndex, hashBytes } from './hash-index.ts'
import type { NodeTable } from './node-table.ts'
import type { ValueArena } from './value-arena.ts'

export class ChildIndex {
  readonly #index: HashIndex
  readonly #nodes: NodeTable
  readonly #arena: ValueArena

  constructor(memory: StateMemory, capacity: number, nodes: NodeTable, arena: ValueArena) {
    this.#index = new HashIndex(memory, 'store.children', capacity)
    this.#nodes = nodes
    this.#arena = arena
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

  get index(): HashIndex {
    return this.#index
  }

  insert(id: number, bytes: Uint8Array, start: number, end: number): void {
    this.#index.insert(id, this.#hash(this.#nodes.parentOf(id), bytes, start, end))
  }

  remove(id: number): void {
    this.#index.remove(id)
  }

  #hash(parent: number, bytes: Uint8Array, start: number, end: number): number {
    const seed = this.#index.seed ^ Math.imul(parent, 0x9e3779b1)
    return hashBytes(seed, bytes, start, end)
  }
}
