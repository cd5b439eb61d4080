/**
 * Takes nodes that nothing hangs on out of the tables of a store, many at once; see native/src/leaf_rows.h.
 */
import { addon, type NativeLeafRows } from './addon.ts'

/** Memory of the tables of a store, laid out as native/src/store_layout.h says. */
export interface LeafTables {
  readonly buckets: ArrayBufferLike
  readonly links: ArrayBufferLike
  readonly nodes: ArrayBufferLike
  readonly blocks: ArrayBufferLike
  readonly slabs: ArrayBufferLike
  readonly heads: ArrayBufferLike
}

const RUN_LAST = 0
const RUN_COUNT = 1
const RUN_NEXT = 2
const RUN_NAME_BYTES = 3
const RUN_VALUE_BYTES = 4
const RUN_WORDS = 5

/** What it says of the leaves that were removed last is in its fields: there is one of it for each store. */
export class LeafRows {
  readonly #native: NativeLeafRows
  readonly #run = new Int32Array(RUN_WORDS)

  constructor(tables: LeafTables) {
    this.#native = new addon.LeafRows({ ...tables, run: this.#run.buffer })
  }

  /**
   * Frees rows, names, values and places in the index of a leaf and of those behind it, as far as they stand
   * together among the children of their parent and the nodes of their owner, have the same permissions, and
   * nothing hangs on them. The rows' links to each other can be read until one is given out again.
   * @throws XenError when the index does not know one of them
   */
  remove(first: number): void {
    this.#native.remove(first)
  }

  get last(): number {
    return this.#run[RUN_LAST] as number
  }

  get count(): number {
    return this.#run[RUN_COUNT] as number
  }

  /** The child behind the last; 0: none. */
  get next(): number {
    return this.#run[RUN_NEXT] as number
  }

  /** Of all names together. */
  get nameBytes(): number {
    return this.#run[RUN_NAME_BYTES] as number
  }

  get valueBytes(): number {
    return this.#run[RUN_VALUE_BYTES] as number
  }
}
