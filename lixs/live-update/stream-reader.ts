import { FLAG_BIG_ENDIAN, HEADER_LENGTH, RECORD_HEADER_LENGTH } from './stream-format.ts'

/** The saved state is not one that can be restored; nothing was changed. */
export class RestoreFailure extends Error {
  override readonly name = 'RestoreFailure'
}

/** Reads record by record; whatever the bytes say, nothing outside of the record at hand is read. */
export class StreamReader {
  readonly #view: DataView
  readonly #all: Uint8Array
  /** Where the record at hand begins, with its header; and where its body lies. */
  #record = 0
  #body = 0
  #length = 0
  #next = 0

  constructor(all: Uint8Array) {
    this.#all = all
    this.#view = new DataView(all.buffer, all.byteOffset, all.byteLength)
  }

  /** Of the body, padding included. */
  get length(): number {
    return this.#length
  }

  /** Does a header with this magic come next? */
  hasHeader(magic: string): boolean {
    const end = this.#next + HEADER_LENGTH
    if (end > this.#all.length) return false
    return Buffer.from(this.#all.subarray(this.#next, this.#next + 8)).toString('latin1') === magic
  }

  /** @returns the version */
  header(magic: string): number {
    if (!this.hasHeader(magic))
      throw new RestoreFailure('the saved state has no header of its kind')
    const version = this.#view.getUint32(this.#next + 8)
    if ((this.#view.getUint32(this.#next + 12) & FLAG_BIG_ENDIAN) !== 0) {
      throw new RestoreFailure('the saved state is of a big-endian machine')
    }
    this.#next += HEADER_LENGTH
    return version
  }

  /** Goes to the next record. @returns its type */
  next(): number {
    this.#record = this.#next
    this.#body = this.#next + RECORD_HEADER_LENGTH
    this.#length = 0
    if (this.#body > this.#all.length) this.refuse('is missing: the state is cut short')
    const type = this.#view.getUint32(this.#record, true)
    this.#length = this.#view.getUint32(this.#record + 4, true)
    this.#next = this.#body + this.#length
    if (this.#next > this.#all.length) this.refuse('is longer than what is left')
    if (this.#length % 8 !== 0) this.refuse('is not padded')
    return type
  }

  /** Where the record at hand begins; see `seek`. */
  get place(): number {
    return this.#record
  }

  /** The next record is the one that begins there. */
  seek(place: number): void {
    this.#next = place
  }

  /** @throws RestoreFailure when the body is shorter */
  require(length: number): void {
    if (length > this.#length) this.refuse('is too short')
  }

  u8(at: number): number {
    this.require(at + 1)
    return this.#view.getUint8(this.#body + at)
  }

  u16(at: number): number {
    this.require(at + 2)
    return this.#view.getUint16(this.#body + at, true)
  }

  u32(at: number): number {
    this.require(at + 4)
    return this.#view.getUint32(this.#body + at, true)
  }

  i32(at: number): number {
    return this.u32(at) | 0
  }

  f64(at: number): number {
    this.require(at + 8)
    return this.#view.getFloat64(this.#body + at, true)
  }

  /** A view of the body. */
  bytes(start: number, end: number): Uint8Array {
    this.require(end)
    return this.#all.subarray(this.#body + start, this.#body + end)
  }

  /** A string with its one NUL, as the last byte. @returns the string's bytes, without it */
  string(start: number, end: number): Uint8Array {
    const bytes = this.bytes(start, end)
    if (bytes.indexOf(0) !== bytes.length - 1 || bytes.length === 0) {
      this.refuse('holds a string that does not end where it should')
    }
    return bytes.subarray(0, bytes.length - 1)
  }

  /** @param why continues the sentence “the record at byte 16 …” */
  refuse(why: string): never {
    throw new RestoreFailure(
      `the saved state is damaged: the record at byte ${this.#record} ${why}`,
    )
  }
}
