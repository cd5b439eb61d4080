/**
 * The node that each request's path names, for rings without native code (tests): they find it with the very
 * code that native rings use (`findPaths` of native/ring-set.ts).
 */
import { addon, type NativePathTable } from './addon.ts'
import type { PathTables } from './ring-set.ts'

export class PathHints {
  readonly #native: NativePathTable

  /**
   * @param tables of the store
   * @param batch words of the only buffer that there are batches in
   * @param connections record words of all connections
   */
  constructor(tables: PathTables, batch: Int32Array, connections: Int32Array) {
    const { buckets, links, nodes, names } = tables
    const own = { batch: batch.buffer, records: connections.buffer }
    this.#native = new addon.PathTable({ buckets, links, nodes, names, ...own })
  }

  /**
   * Writes its hint (HINT_…) into the flags of each request in the batch for which there is one; the others'
   * stay as they are.
   *
   * @param length words in use
   * @throws XenError (EINVAL) when the batch has not so many
   */
  fillIn(length: number): void {
    this.#native.resolve(length)
  }
}
