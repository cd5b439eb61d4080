/**
 * The newest bytes of a stream, up to a bound: what is too old is overwritten.
 *
 * Memory grows by doubling from FIRST_BYTES, so a console that says little costs little.
 */
const FIRST_BYTES = 1024

export class ByteRing {
  readonly #maxBytes: number
  #buffer: Buffer
  /** Where the oldest byte lies. */
  #start = 0
  #size = 0
  #dropped = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#buffer = Buffer.alloc(0)
  }

  get size(): number {
    return this.#size
  }

  /** Bytes taken from the heap, used or not. */
  get capacity(): number {
    return this.#buffer.length
  }

  /** Bytes overwritten since the last `take`. */
  get dropped(): number {
    return this.#dropped
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    if (end - start > this.#maxBytes) {
      this.#dropped += end - start - this.#maxBytes
      start = end - this.#maxBytes
    }
    const length = end - start
    this.#grow(this.#size + length)
    const tooMany = this.#size + length - this.#buffer.length
    if (tooMany > 0) {
      this.#start = (this.#start + tooMany) % this.#buffer.length
      this.#size -= tooMany
      this.#dropped += tooMany
    }
    const at = (this.#start + this.#size) % (this.#buffer.length || 1)
    const first = Math.min(length, this.#buffer.length - at)
    this.#buffer.set(bytes.subarray(start, start + first), at)
    this.#buffer.set(bytes.subarray(start + first, end), 0)
    this.#size += length
  }

  /** A copy of everything, oldest byte first. */
  copy(): Buffer {
    const out = Buffer.allocUnsafe(this.#size)
    const first = Math.min(this.#size, this.#buffer.length - this.#start)
    out.set(this.#buffer.subarray(this.#start, this.#start + first), 0)
    out.set(this.#buffer.subarray(0, this.#size - first), first)
    return out
  }

  /** Everything, oldest byte first; empty and without memory afterwards. */
  take(): Buffer {
    const out = this.copy()
    this.#buffer = Buffer.alloc(0)
    this.#start = 0
    this.#size = 0
    this.#dropped = 0
    return out
  }

  #grow(wanted: number): void {
    if (wanted <= this.#buffer.length || this.#buffer.length === this.#maxBytes) return
    let capacity = Math.max(this.#buffer.length, FIRST_BYTES)
    while (capacity < wanted) capacity *= 2
    const bigger = Buffer.allocUnsafeSlow(Math.min(capacity, this.#maxBytes))
    bigger.set(this.copy(), 0)
    this.#buffer = bigger
    this.#start = 0
  }
}
