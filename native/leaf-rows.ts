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
  readonly domains: ArrayBufferLike
}

const NEXT = 0
const COUNT = 1
const ACCOUNTS = 2
const FIRST_ACCOUNT = 3
const ACCOUNT_WORDS = 4
const OWNER = 0
const PERMS = 1
const ACCOUNT_COUNT = 2
const BYTES = 3
/** kAccounts of native/src/leaf_rows.h. */
const MOST_ACCOUNTS = 32

/** What it says of the leaves that were removed last is in its fields: there is one of it for each store. */
export class LeafRows {
  readonly #native: NativeLeafRows
  readonly #removed = new Int32Array(FIRST_ACCOUNT + MOST_ACCOUNTS * ACCOUNT_WORDS)

  constructor(tables: LeafTables) {
    this.#native = new addon.LeafRows({ ...tables, removed: this.#removed.buffer })
  }

  /**
   * Frees those children of a node on which nothing hangs: their rows, names and values, places in the index and in
   * the lists of children and of their owners' nodes. How many nodes and bytes of each owner, and users of each
   * permission list, these were, stands in the accounts; when there is no room for another one, it stops.
   * @param from the first of the children to be looked at
   * @throws XenError when the index does not know one of them
   */
  remove(parent: number, from: number): void {
    this.#native.remove(parent, from)
  }

  /** The child from which on nothing was done; 0: all were looked at. */
  get next(): number {
    return this.#removed[NEXT] as number
  }

  get count(): number {
    return this.#removed[COUNT] as number
  }

  /** How many; each is one owner's and one permission list's. */
  get accounts(): number {
    return this.#removed[ACCOUNTS] as number
  }

  ownerOf(account: number): number {
    return this.#wordOf(account, OWNER)
  }

  permsOf(account: number): number {
    return this.#wordOf(account, PERMS)
  }

  countOf(account: number): number {
    return this.#wordOf(account, ACCOUNT_COUNT)
  }

  /** Of names and values. */
  bytesOf(account: number): number {
    return this.#wordOf(account, BYTES)
  }

  #wordOf(account: number, word: number): number {
    return this.#removed[FIRST_ACCOUNT + account * ACCOUNT_WORDS + word] as number
  }
}
