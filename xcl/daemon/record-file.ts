/**
 * Many small records in one file, each written, changed and freed by single writes at its place.
 *
 * ```
 * block 0        1        2        3        4
 *       │ d 0002 UUID TEXT \n      │ - 0001 │ b 0004 …
 *         │ │    │
 *         │ │    └ 36 characters
 *         │ └ blocks that it has: a power of two, as long as the file lives
 *         └ state: the owner's letter; `-` means free
 * ```
 *
 * A record is written as free, and one byte more makes it valid: a kill leaves the whole record or
 * none. A file for each would cost far more where many come and go: ext4 passes over every inode that
 * was freed in the last seconds before it gives a new file one (450 us of CPU, against 4 for this).
 */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs'

const BLOCK = 512
const BLOCKS_MAX = 8192
const FREE = '-'
const HEADER = /^([a-z-]) ([0-9]{4}) ([0-9a-f-]{36}) $/
const HEADER_BYTES = 44

/** Where a record is. */
export interface Place {
  readonly block: number
  readonly blocks: number
}

/** What a file held when it was opened. */
export interface FoundRecord {
  readonly place: Place
  /** One letter. */
  readonly state: string
  readonly uuid: string
}

export class RecordFile {
  /** -1 when closed: what is still written then fails, and changes nobody else's file. */
  #fd: number
  /** Free places by their number of blocks. */
  readonly #free = new Map<number, Place[]>()
  /** First block that was never used. */
  #end = 0

  /**
   * @param path made (0600) when there is none
   * @param found called with each record, in their order
   * @throws NodeJS.ErrnoException
   */
  constructor(path: string, found: (record: FoundRecord) => void) {
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    const blocks = Math.ceil(fstatSync(this.#fd).size / BLOCK)
    while (this.#end < blocks) {
      const [, state = '', digits, uuid = ''] = HEADER.exec(this.#headerAt(this.#end)) ?? []
      // What a kill left at the end, or nothing of ours.
      if (digits === undefined) break
      const place = { block: this.#end, blocks: Number(digits) }
      if (place.blocks === 0) break
      this.#end += place.blocks
      if (state === FREE) this.#release(place)
      else found({ place, state, uuid })
    }
  }

  /**
   * @param state a letter
   * @param text without line feeds
   * @throws NodeJS.ErrnoException; then there is no such record
   */
  add(state: string, uuid: string, text: string): Place {
    const bytes = Buffer.from(`${FREE} 0000 ${uuid} ${text}\n`)
    const place = this.#take(bytes.length)
    bytes.write(String(place.blocks).padStart(4, '0'), 2)
    try {
      this.#write(bytes, place.block * BLOCK)
      this.setState(place, state)
    } catch (error) {
      // A place without a header may only be the last one.
      if (place.block + place.blocks === this.#end) this.#end = place.block
      else this.#release(place)
      throw error
    }
    return place
  }

  /** @throws NodeJS.ErrnoException; then it has the state that it had */
  setState({ block }: Place, state: string): void {
    this.#write(Buffer.from(state), block * BLOCK)
  }

  /** Overwrites a part of a record's text, not beyond its end: of few bytes, whole or not at all. */
  patch({ block }: Place, at: number, text: string): void {
    this.#write(Buffer.from(text), block * BLOCK + HEADER_BYTES + at)
  }

  /** @throws NodeJS.ErrnoException; then the record stays */
  remove(place: Place): void {
    this.setState(place, FREE)
    this.#release(place)
  }

  textAt({ block, blocks }: Place): string {
    const bytes = Buffer.alloc(blocks * BLOCK)
    const length = readSync(this.#fd, bytes, 0, bytes.length, block * BLOCK)
    const end = bytes.subarray(0, length).indexOf('\n')
    return bytes.toString('utf8', HEADER_BYTES, end < 0 ? length : end)
  }

  close(): void {
    if (this.#fd < 0) return
    closeSync(this.#fd)
    this.#fd = -1
  }

  #headerAt(block: number): string {
    const bytes = Buffer.alloc(HEADER_BYTES)
    readSync(this.#fd, bytes, 0, HEADER_BYTES, block * BLOCK)
    return bytes.toString('latin1')
  }

  /** Powers of two, so that what one record leaves fits another of about the same length. */
  #take(bytes: number): Place {
    const blocks = 2 ** Math.ceil(Math.log2(Math.ceil(bytes / BLOCK)))
    if (blocks > BLOCKS_MAX) throw new Error(`a record of ${bytes} bytes is too long`)
    const free = this.#free.get(blocks)?.pop()
    if (free !== undefined) return free
    const place = { block: this.#end, blocks }
    this.#end += blocks
    return place
  }

  #release(place: Place): void {
    const same = this.#free.get(place.blocks)
    if (same === undefined) this.#free.set(place.blocks, [place])
    else same.push(place)
  }

  #write(bytes: Buffer, at: number): void {
    // In parts only when the disk becomes full: then the next part says so.
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(this.#fd, bytes, written, bytes.length - written, at + written)
    }
  }
}
