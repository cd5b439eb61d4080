/**
 * A hash from 32-bit hash values to ids, chained, that grows by linear hashing: one bucket is split
 * per insertion, so no insertion ever pays for a rehash of all.
 *
 * ```
 * buckets:  0 … split-1 │ split … 2^level-1 │ 2^level … 2^level+split-1
 *           already split, and what came of it at the right    not split yet in the middle
 * links:    id → next id in its bucket, hash of id
 * ```
 *
 * What an id means, and whether two are equal, is the owner's: walk `first`, `next` and compare.
 *
 * @see W. Litwin, "Linear hashing: a new tool for file and table addressing", 1980
 */
import { randomInt } from 'node:crypto'
import type { StateMemory } from '../../native/os/state-memory.ts'

const SIZE = 0
const BUCKETS = 1
/** 2^level - 1. */
const MASK = 2
const SEED = 3
const HEADER = 16
const FIRST_BUCKETS = 16

export class HashIndex {
  readonly #buckets: Int32Array
  readonly #links: Int32Array
  readonly #maxBuckets: number

  /** @param capacity largest id + 1, below 2^29 */
  constructor(memory: StateMemory, name: string, capacity: number) {
    this.#maxBuckets = Math.max(FIRST_BUCKETS, 2 ** Math.ceil(Math.log2(capacity)))
    this.#buckets = memory.int32(`${name}.buckets`, HEADER + this.#maxBuckets)
    this.#links = memory.int32(`${name}.links`, capacity * 2)
    if (this.#buckets[BUCKETS] === 0) {
      this.#buckets[BUCKETS] = FIRST_BUCKETS
      this.#buckets[MASK] = FIRST_BUCKETS - 1
      this.#buckets[SEED] = randomInt(2 ** 31)
    }
  }

  /** What it lies in, for native code. */
  get memory(): { readonly buckets: ArrayBufferLike; readonly links: ArrayBufferLike } {
    return { buckets: this.#buckets.buffer, links: this.#links.buffer }
  }

  /** Drawn once: hashes begin with it, so that no guest can choose keys that share a bucket. */
  get seed(): number {
    return this.#buckets[SEED] as number
  }

  get size(): number {
    return this.#buckets[SIZE] as number
  }

  get bucketCount(): number {
    return this.#buckets[BUCKETS] as number
  }

  /** First id of the bucket in which ids of this hash are, among others; 0 = none. */
  first(hash: number): number {
    return this.#buckets[this.#bucketOf(hash)] as number
  }

  next(id: number): number {
    return this.#links[id * 2] as number
  }

  hashOf(id: number): number {
    return this.#links[id * 2 + 1] as number
  }

  /** For a check: does every chain end, and do all of them together hold what was inserted? */
  isSound(): boolean {
    let count = 0
    for (let bucket = 0; bucket < this.bucketCount; bucket++) {
      for (let id = this.#buckets[HEADER + bucket] as number; id !== 0; id = this.next(id)) {
        if (++count > this.size || this.#bucketOf(this.hashOf(id)) !== HEADER + bucket) return false
      }
    }
    return count === this.size
  }

  insert(id: number, hash: number): void {
    const bucket = this.#bucketOf(hash)
    this.#links[id * 2] = this.#buckets[bucket] as number
    this.#links[id * 2 + 1] = hash
    this.#buckets[bucket] = id
    const size = this.size + 1
    this.#buckets[SIZE] = size
    if (size > this.bucketCount && this.bucketCount < this.#maxBuckets) this.#split()
  }

  remove(id: number): void {
    const bucket = this.#bucketOf(this.hashOf(id))
    let at = this.#buckets[bucket] as number
    if (at === id) {
      this.#buckets[bucket] = this.next(id)
    } else {
      while (this.next(at) !== id) {
        at = this.next(at)
        if (at === 0) throw new Error(`hash index: ${id} is not in its bucket`)
      }
      this.#links[at * 2] = this.next(id)
    }
    this.#buckets[SIZE] = this.size - 1
  }

  /** Where the bucket of a hash lies in `#buckets`. */
  #bucketOf(hash: number): number {
    const mask = this.#buckets[MASK] as number
    const wide = hash & (mask * 2 + 1)
    return HEADER + (wide < this.bucketCount ? wide : hash & mask)
  }

  #split(): void {
    const mask = this.#buckets[MASK] as number
    const to = this.bucketCount
    const from = to - (mask + 1)
    this.#buckets[BUCKETS] = to + 1
    if (to === mask * 2 + 1) this.#buckets[MASK] = to
    let staying = 0
    let leaving = 0
    let id = this.#buckets[HEADER + from] as number
    while (id !== 0) {
      const next = this.next(id)
      if ((this.hashOf(id) & (mask * 2 + 1)) === to) {
        this.#links[id * 2] = leaving
        leaving = id
      } else {
        this.#links[id * 2] = staying
        staying = id
      }
      id = next
    }
    this.#buckets[HEADER + from] = staying
    this.#buckets[HEADER + to] = leaving
  }
}

/** Mixes the bytes into `seed`; not for secrets, good enough that short names spread. */
export function hashBytes(seed: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = seed
  for (let i = start; i < end; i++) {
    hash = Math.imul(hash ^ (bytes[i] as number), 0x5bd1e995)
    hash ^= hash >>> 15
  }
  return finish(hash)
}

/** Mixes two numbers into `seed`. */
export function hashPair(seed: number, a: number, b: number): number {
  return finish(Math.imul(finish(seed ^ Math.imul(a, 0x9e3779b1)) ^ b, 0x85ebca6b))
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x7feb352d)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b)
  return mixed ^ (mixed >>> 16)
}
