/**
 * The pages in which a daemon's whole state lies, addressed by index, never by pointer.
 *
 * Address space is reserved once and touched page by page, so views never move and growth copies
 * nothing. A directory in the first page names the segments:
 *
 * ```
 * 0        magic, version, segment count, bytes used
 * 64       entries of 64 bytes: name (40), byte offset (f64), byte length (f64), 8 free
 * 65536    first segment (page aligned), second segment, …
 * ```
 *
 * Asking for a segment that is in the directory gives that segment: this is how a successor
 * process, given the same pages, finds everything again.
 */
import { reserveMemory } from '../addon.ts'

const MAGIC = 0x6c697873
const VERSION = 1
const ENTRY_BYTES = 64
const NAME_BYTES = 40
const DIRECTORY_START = 64
const FIRST_SEGMENT = 65536
const PAGE = 4096
const MAX_SEGMENTS = Math.floor((FIRST_SEGMENT - DIRECTORY_START) / ENTRY_BYTES)

/** Native side of the pages: one reserved range, views by offset. */
export interface MemoryRange {
  readonly byteLength: number
  /** @returns a view of the range itself, not a copy; both numbers are multiples of 4,096 */
  view(byteOffset: number, byteLength: number): ArrayBuffer
  close(): void
}

export class StateMemory {
  readonly #range: MemoryRange
  readonly #words: Int32Array
  readonly #numbers: Float64Array
  readonly #bytes: Uint8Array

  /** @param reserveBytes address space, not memory; 16 GiB unless told */
  static anonymous(reserveBytes = 16 * 2 ** 30): StateMemory {
    return new StateMemory(reserveMemory(reserveBytes))
  }

  constructor(range: MemoryRange) {
    this.#range = range
    const head = range.view(0, FIRST_SEGMENT)
    this.#words = new Int32Array(head)
    this.#numbers = new Float64Array(head)
    this.#bytes = new Uint8Array(head)
    if (this.#words[0] === 0) {
      this.#words[0] = MAGIC
      this.#words[1] = VERSION
      this.#words[2] = 0
      this.#numbers[2] = FIRST_SEGMENT
    }
    if (this.#words[0] !== MAGIC || this.#words[1] !== VERSION) {
      throw new Error(
        `state memory: not ours or of another version (magic ${this.#words[0]}, version ${this.#words[1]})`,
      )
    }
  }

  int32(name: string, length: number): Int32Array {
    return new Int32Array(this.segment(name, length * 4), 0, length)
  }

  float64(name: string, length: number): Float64Array {
    return new Float64Array(this.segment(name, length * 8), 0, length)
  }

  uint8(name: string, length: number): Uint8Array {
    return new Uint8Array(this.segment(name, length), 0, length)
  }

  /** The segment of this name, zeroed when it is new; at least `byteLength` bytes. */
  segment(name: string, byteLength: number): ArrayBuffer {
    const key = Buffer.from(name, 'latin1')
    if (key.length === 0 || key.length >= NAME_BYTES) throw new Error(`segment name: ${name}`)
    const count = this.#words[2] as number
    const wanted = Math.ceil(byteLength / PAGE) * PAGE
    for (let i = 0; i < count; i++) {
      const at = DIRECTORY_START + i * ENTRY_BYTES
      const end = this.#bytes.indexOf(0, at)
      if (Buffer.compare(this.#bytes.subarray(at, end), key) !== 0) continue
      const offset = this.#numbers[(at + NAME_BYTES) / 8] as number
      const length = this.#numbers[(at + NAME_BYTES + 8) / 8] as number
      if (length < wanted) throw new Error(`segment ${name}: ${length} bytes, ${wanted} wanted`)
      return this.#range.view(offset, length)
    }
    if (count === MAX_SEGMENTS) throw new Error(`segment ${name}: the directory is full`)
    const offset = this.#numbers[2] as number
    if (offset + wanted > this.#range.byteLength) {
      throw new Error(`segment ${name}: ${wanted} bytes do not fit into what was reserved`)
    }
    const at = DIRECTORY_START + count * ENTRY_BYTES
    this.#bytes.set(key, at)
    this.#numbers[(at + NAME_BYTES) / 8] = offset
    this.#numbers[(at + NAME_BYTES + 8) / 8] = wanted
    this.#numbers[2] = offset + wanted
    this.#words[2] = count + 1
    return this.#range.view(offset, wanted)
  }

  close(): void {
    this.#range.close()
  }
}
