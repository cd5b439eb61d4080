/**
 * Bytes of any length: names, values, tokens, permission lists. A slab allocator in state memory.
 *
 * ```
 * arena:   │ slab 0: not used │ slab 1: blocks of 16 bytes │ slab 2: blocks of 256 │ slab 3: free │ …
 *            64 KiB each
 * slabs:   per slab: size class, blocks in use, first free block, blocks ever used, next and previous
 *          slab of the same class that still has room
 * heads:   per class: first slab with room; first slab that is free; slabs ever used; blocks in use
 * ```
 *
 * A block is named by its place in units of 16 bytes, so 31 bits name far more than an arena has; 0
 * is the empty byte string. A slab whose last block is freed may become one of another class:
 * what a burst of one size has taken is there for all afterwards.
 */
import type { StateMemory } from '../../native/os/state-memory.ts'
import type { Principal } from './principal.ts'
import { RowTable, SHARED_PART } from './row-table.ts'

const UNIT = 16
const SLAB_BYTES = 65536
const SLAB_UNITS = SLAB_BYTES / UNIT
/** Block sizes in units: 16 bytes … 16 KiB. */
const CLASS_UNITS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024]
const MAX_UNITS = 1024
/** Largest block; more than any payload of the protocol and any permission list made from one. */
export const MAX_BLOCK_BYTES = MAX_UNITS * UNIT

const CLASS_OF = new Uint8Array(MAX_UNITS + 1)
for (let units = 1, at = 0; units <= MAX_UNITS; units++) {
  if (units > (CLASS_UNITS[at] as number)) at++
  CLASS_OF[units] = at
}

const SLAB_ROW = 8
const CLASS = 0
const USED = 1
const FIRST_FREE = 2
const EVER_USED = 3
const NEXT = 4
const PREVIOUS = 5

const FREE_SLAB = 0
const LAST_SLAB = 1
const BLOCKS = 2
const SLABS = 3
const FIRST_HEAD = 8

export class ValueArena {
  /** All of the arena; a block `ref` begins at `ref * 16`. */
  readonly bytes: Uint8Array
  /** The same as 32-bit words; a block begins at `ref * 4`. */
  readonly words: Int32Array
  readonly #slabs: RowTable
  readonly #heads: Int32Array
  readonly #slabCount: number

  /** @param byteLength address space; a multiple of 64 KiB, below 2^32 */
  constructor(memory: StateMemory, name: string, byteLength: number) {
    const buffer = memory.segment(name, byteLength)
    this.bytes = new Uint8Array(buffer, 0, byteLength)
    this.words = new Int32Array(buffer, 0, byteLength / 4)
    this.#slabCount = byteLength / SLAB_BYTES
    this.#slabs = new RowTable(memory, `${name}.slabs`, SLAB_ROW, this.#slabCount)
    this.#heads = memory.int32(`${name}.heads`, FIRST_HEAD + CLASS_UNITS.length)
  }

  /** What it lies in, for native code. */
  get memory(): {
    readonly blocks: ArrayBufferLike
    readonly slabs: ArrayBufferLike
    readonly heads: ArrayBufferLike
  } {
    const { buffer: heads } = this.#heads
    return { blocks: this.words.buffer, slabs: this.#slabs.memory, heads }
  }

  /** Blocks that are in use. */
  get blocks(): number {
    return this.#heads[BLOCKS] as number
  }

  /** Places that blocks can begin at: all refs are below. */
  get places(): number {
    return ((this.#heads[LAST_SLAB] as number) + 1) * SLAB_UNITS
  }

  /** Could a block begin here? */
  isPlace(ref: number): boolean {
    if (ref < SLAB_UNITS || ref >= this.places) return false
    const slab = Math.floor(ref / SLAB_UNITS)
    const units = CLASS_UNITS[this.#slabs.get(slab, CLASS)] as number
    return this.#slabs.get(slab, USED) > 0 && (ref - slab * SLAB_UNITS) % units === 0
  }

  /** Bytes of all slabs that hold a block. */
  get slabBytes(): number {
    return (this.#heads[SLABS] as number) * SLAB_BYTES
  }

  /** May `who` take blocks at all? A part of the arena is kept for the privileged. */
  hasRoomFor(who: Principal): boolean {
    return who.isPrivileged || (this.#heads[SLABS] as number) <= this.#slabCount * SHARED_PART
  }

  /** @returns the block's ref; 0 when `length` is 0 or, otherwise, when there is no room */
  allocate(length: number): number {
    if (length === 0) return 0
    if (length > MAX_BLOCK_BYTES) return 0
    const size = CLASS_OF[(length + UNIT - 1) >> 4] as number
    let slab = this.#heads[FIRST_HEAD + size] as number
    if (slab === 0) {
      slab = this.#takeSlab(size)
      if (slab === 0) return 0
    }
    const slabs = this.#slabs
    const units = CLASS_UNITS[size] as number
    let ref = slabs.get(slab, FIRST_FREE)
    if (ref === 0) {
      const index = slabs.get(slab, EVER_USED)
      slabs.set(slab, EVER_USED, index + 1)
      ref = slab * SLAB_UNITS + index * units
    } else {
      slabs.set(slab, FIRST_FREE, this.words[ref * 4] as number)
    }
    const used = slabs.get(slab, USED) + 1
    slabs.set(slab, USED, used)
    if (used === Math.floor(SLAB_UNITS / units)) this.#unlink(slab, size)
    this.#heads[BLOCKS] = this.blocks + 1
    return ref
  }

  /** @param ref of `allocate`; 0 is nothing to free */
  free(ref: number): void {
    if (ref === 0) return
    const slabs = this.#slabs
    const slab = Math.floor(ref / SLAB_UNITS)
    const size = slabs.get(slab, CLASS)
    const used = slabs.get(slab, USED) - 1
    const wasFull = used + 1 === Math.floor(SLAB_UNITS / (CLASS_UNITS[size] as number))
    this.words[ref * 4] = slabs.get(slab, FIRST_FREE)
    slabs.set(slab, FIRST_FREE, ref)
    slabs.set(slab, USED, used)
    this.#heads[BLOCKS] = this.blocks - 1
    if (used === 0) {
      if (!wasFull) this.#unlink(slab, size)
      this.#dropSlab(slab)
    } else if (wasFull) {
      this.#link(slab, size)
    }
  }

  /** Does a block made for `before` bytes hold `after` bytes without waste? */
  fits(before: number, after: number): boolean {
    if (before === 0 || after === 0) return before === after
    return CLASS_OF[(before + UNIT - 1) >> 4] === CLASS_OF[(after + UNIT - 1) >> 4]
  }

  /** A block with a copy of `from[start … end)`; 0 as `allocate`. */
  store(from: Uint8Array, start: number, end: number): number {
    const ref = this.allocate(end - start)
    if (ref !== 0) copyBytes(from, start, this.bytes, ref * UNIT, end - start)
    return ref
  }

  /** Fills a block that `fits` anew. */
  overwrite(ref: number, from: Uint8Array, start: number, end: number): void {
    copyBytes(from, start, this.bytes, ref * UNIT, end - start)
  }

  /** First byte of a block in `bytes`. */
  startOf(ref: number): number {
    return ref * UNIT
  }

  /** Copies the first `length` bytes of a block. */
  copyTo(ref: number, length: number, into: Uint8Array, at: number): void {
    copyBytes(this.bytes, ref * UNIT, into, at, length)
  }

  equals(ref: number, length: number, other: Uint8Array, start: number, end: number): boolean {
    if (length !== end - start) return false
    const bytes = this.bytes
    const from = ref * UNIT
    for (let i = 0; i < length; i++) if (bytes[from + i] !== other[start + i]) return false
    return true
  }

  #takeSlab(size: number): number {
    let slab = this.#heads[FREE_SLAB] as number
    if (slab !== 0) {
      this.#heads[FREE_SLAB] = this.#slabs.get(slab, NEXT)
    } else {
      slab = (this.#heads[LAST_SLAB] as number) + 1
      if (slab >= this.#slabCount) return 0
      this.#heads[LAST_SLAB] = slab
    }
    this.#heads[SLABS] = (this.#heads[SLABS] as number) + 1
    this.#slabs.clear(slab)
    this.#slabs.set(slab, CLASS, size)
    this.#link(slab, size)
    return slab
  }

  #dropSlab(slab: number): void {
    this.#slabs.set(slab, NEXT, this.#heads[FREE_SLAB] as number)
    this.#heads[FREE_SLAB] = slab
    this.#heads[SLABS] = (this.#heads[SLABS] as number) - 1
  }

  #link(slab: number, size: number): void {
    const head = this.#heads[FIRST_HEAD + size] as number
    this.#slabs.set(slab, NEXT, head)
    this.#slabs.set(slab, PREVIOUS, 0)
    if (head !== 0) this.#slabs.set(head, PREVIOUS, slab)
    this.#heads[FIRST_HEAD + size] = slab
  }

  #unlink(slab: number, size: number): void {
    const next = this.#slabs.get(slab, NEXT)
    const previous = this.#slabs.get(slab, PREVIOUS)
    if (next !== 0) this.#slabs.set(next, PREVIOUS, previous)
    if (previous !== 0) this.#slabs.set(previous, NEXT, next)
    else this.#heads[FIRST_HEAD + size] = next
  }
}

/** Copies `length` bytes; a loop while that is faster than making a view. */
function copyBytes(
  from: Uint8Array,
  fromAt: number,
  into: Uint8Array,
  at: number,
  length: number,
): void {
  if (length > 96) {
    into.set(from.subarray(fromAt, fromAt + length), at)
    return
  }
  for (let i = 0; i < length; i++) into[at + i] = from[fromAt + i] as number
}
