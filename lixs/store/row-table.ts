/**
 * Rows of 32-bit words in state memory, addressed by id: the ground under every table of the store.
 *
 * ```
 * row 0:  first free row │ rows ever used │ rows in use │ …      (0 is "none" wherever an id is meant)
 * row 1:  word 0  word 1  word 2 …
 * row 2:  …
 * ```
 *
 * A free row keeps the next free one in its word 0. Two neighbouring words, the first at an even
 * place, can hold one 64-bit float instead: generations and sequence numbers do not fit into 32 bits.
 *
 * Rows instead of one array per field: a walk touches one or two cache lines per row, and a row of
 * a thousand-guest-old id is rarely in the cache.
 */
import type { StateMemory } from '../../native/os/state-memory.ts'
import type { Principal } from './principal.ts'

const FREE_HEAD = 0
const HIGH_WATER = 1
const IN_USE = 2

/**
 * The part of each table that unprivileged domains may fill together. The rest is a reserve: whatever
 * they do, the toolstack can make and remove domains.
 */
export const SHARED_PART = 0.9

export class RowTable {
  readonly capacity: number
  readonly #stride: number
  readonly #words: Int32Array
  readonly #numbers: Float64Array

  /**
   * @param stride words per row; even, at least 4
   * @param capacity rows, row 0 included; reserved, not touched. stride × capacity below 2^30
   */
  constructor(memory: StateMemory, name: string, stride: number, capacity: number) {
    const buffer = memory.segment(name, stride * capacity * 4)
    this.#words = new Int32Array(buffer, 0, stride * capacity)
    this.#numbers = new Float64Array(buffer, 0, (stride * capacity) / 2)
    this.#stride = stride
    this.capacity = capacity
  }

  /** All rows, for native code. */
  get memory(): ArrayBufferLike {
    return this.#words.buffer
  }

  get(id: number, field: number): number {
    return this.#words[id * this.#stride + field] as number
  }

  set(id: number, field: number, value: number): void {
    this.#words[id * this.#stride + field] = value
  }

  add(id: number, field: number, delta: number): void {
    const at = id * this.#stride + field
    this.#words[at] = (this.#words[at] as number) + delta
  }

  /** @param field an even one; it and the next hold the number */
  getNumber(id: number, field: number): number {
    return this.#numbers[(id * this.#stride + field) >> 1] as number
  }

  setNumber(id: number, field: number, value: number): void {
    this.#numbers[(id * this.#stride + field) >> 1] = value
  }

  /** Rows that `allocate` has given and `free` has not taken back. */
  get inUse(): number {
    return this.#words[IN_USE] as number
  }

  /** The largest id that was ever given. */
  get highest(): number {
    return this.#words[HIGH_WATER] as number
  }

  /** Memory that rows have touched so far. */
  get touchedBytes(): number {
    return (this.highest + 1) * this.#stride * 4
  }

  /**
   * For a check: one byte per row that was ever used, not 0 for those that are free.
   * @returns undefined when the list of the free ones is broken
   */
  freeRows(): Uint8Array | undefined {
    const free = new Uint8Array(this.highest + 1)
    let count = 1
    free[0] = 1
    for (let id = this.#words[FREE_HEAD] as number; id !== 0; id = this.get(id, 0)) {
      if (id < 0 || free[id] !== 0) return undefined
      free[id] = 1
      count++
    }
    return free.length - count === this.inUse ? free : undefined
  }

  /** May `who` take this many rows more? */
  hasRoomFor(who: Principal, more: number): boolean {
    const limit = who.isPrivileged ? this.capacity - 1 : this.capacity * SHARED_PART
    return this.inUse + more <= limit
  }

  /** @returns a row full of zeroes; 0 when there is none left */
  allocate(): number {
    const words = this.#words
    let id = words[FREE_HEAD] as number
    if (id === 0) {
      id = (words[HIGH_WATER] as number) + 1
      if (id >= this.capacity) return 0
      words[HIGH_WATER] = id
    } else {
      words[FREE_HEAD] = words[id * this.#stride] as number
      const end = (id + 1) * this.#stride
      for (let at = id * this.#stride; at < end; at++) words[at] = 0
    }
    words[IN_USE] = (words[IN_USE] as number) + 1
    return id
  }

  free(id: number): void {
    this.set(id, 0, this.#words[FREE_HEAD] as number)
    this.#words[FREE_HEAD] = id
    this.#words[IN_USE] = (this.#words[IN_USE] as number) - 1
  }

  /** Makes a row of a table that is addressed by number, not by `allocate`, empty again. */
  clear(id: number): void {
    const end = (id + 1) * this.#stride
    for (let at = id * this.#stride; at < end; at++) this.#words[at] = 0
  }
}
