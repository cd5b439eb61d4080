/**
 * What a guest has said and its pseudo terminal has not yet taken.
 *
 * The bound is the toolstack's `~/console/limit`. In `discard` mode the guest is never held up: when
 * a quarter more than the bound has gathered, the middle is dropped, so that whoever opens the
 * terminal at last sees how the guest began and what it said last. In `keep` mode the caller stops
 * reading the ring once `isFull`.
 *
 * ```
 *   buffer:   taken │ waiting                        │ free
 *             0     #start                     #end
 * ```
 */
const FIRST_BYTES = 4096

/** Used when `~/console/limit` is absent or 0: what libxl writes. No bound at all is a way for one guest to eat the host. */
const DEFAULT_LIMIT = 1_048_576

export class Backlog {
  readonly #limit: number
  #buffer = Buffer.alloc(0)
  #start = 0
  #end = 0
  #dropped = 0

  /** @param limit bytes; undefined or 0 = libxl's 1 MiB */
  constructor(limit: number | undefined) {
    this.#limit = limit === undefined || limit === 0 ? DEFAULT_LIMIT : limit
  }

  get size(): number {
    return this.#end - this.#start
  }

  /** Bytes that nobody will see, from the beginning on. */
  get dropped(): number {
    return this.#dropped
  }

  get isFull(): boolean {
    return this.size >= this.#limit
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    this.#makeRoom(end - start)
    this.#buffer.set(bytes.subarray(start, end), this.#end)
    this.#end += end - start
    if (this.size > this.#limit + (this.#limit >> 2)) this.#dropMiddle()
  }

  /** What is next, without taking it; valid until the next call of anything else. */
  peek(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end)
  }

  /** The first `count` bytes of `peek()` are dealt with. */
  consume(count: number): void {
    this.#start += count
    if (this.#start < this.#end) return
    this.#start = 0
    this.#end = 0
    if (this.#buffer.length > FIRST_BYTES) this.#buffer = Buffer.alloc(0)
  }

  #makeRoom(length: number): void {
    if (this.#end + length <= this.#buffer.length) return
    const wanted = this.size + length
    let target = this.#buffer
    if (wanted > this.#buffer.length || this.#start < this.#buffer.length >> 2) {
      target = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, wanted, this.#buffer.length * 2))
    }
    target.set(this.#buffer.subarray(this.#start, this.#end), 0)
    this.#end -= this.#start
    this.#start = 0
    this.#buffer = target
  }

  /** Keeps the oldest half of the bound and the newest half. */
  #dropMiddle(): void {
    const oldest = this.#limit >> 1
    const newest = this.#limit - oldest
    this.#dropped += this.size - this.#limit
    this.#buffer.copyWithin(this.#start + oldest, this.#end - newest, this.#end)
    this.#end = this.#start + this.#limit
  }
}
