/**
 * Output for many log files, gathered and written in one call: nothing is allocated and nothing thrown,
 * whatever becomes of the files.
 *
 * ```
 *   put(fd, source, start, end, expected)  …  put(…)        a row of numbers each
 *   write()                                                 one write(2) for what is next to each other
 *                                                           and goes to the same file
 *   wrote(i), errnoOf(i), endOf(i)                          where something is not as was expected
 * ```
 *
 * The bytes are not copied: they stay in one of two memories, the writer's own arena, for what is made
 * on the way, or the one that was named last with `use`.
 */
import { addon, type NativeLogWriter } from '../addon.ts'

/** How many entries a writer takes. */
export const MAX_ENTRIES = 1024
export const SOURCE_ARENA = 0
export const SOURCE_USED = 1
const ARENA_BYTES = 512 * 1024

/** Words of an entry; native/src/log_writer.h. */
const ENTRY_WORDS = 9
const ENTRY_FD = 0
const ENTRY_SOURCE = 1
const ENTRY_START = 2
const ENTRY_END = 3
const ENTRY_EXPECTED = 4
const ENTRY_WRITTEN = 5
const ENTRY_ERRNO = 6
const ENTRY_END_LOW = 7
const ENTRY_END_HIGH = 8

export class LogWriter {
  /** For bytes that are made on the way to a log. */
  readonly arena = new Uint8Array(new ArrayBuffer(ARENA_BYTES))
  readonly #entries = new Int32Array(MAX_ENTRIES * ENTRY_WORDS)
  readonly #native: NativeLogWriter
  #used: ArrayBuffer = new ArrayBuffer(0)
  #count = 0

  constructor() {
    this.#native = new addon.LogWriter(this.#entries.buffer, this.arena.buffer)
  }

  /** Entries that wait. */
  get count(): number {
    return this.#count
  }

  /** From now on this is SOURCE_USED. Nothing may wait. */
  use(memory: ArrayBuffer): void {
    this.#used = memory
    this.#native.useSource(memory)
  }

  /**
   * One more piece; there is room for MAX_ENTRIES.
   *
   * @param expectedEnd length of the file when it is written, if nobody else changes it
   */
  put(fd: number, source: number, start: number, end: number, expectedEnd: number): void {
    const entries = this.#entries
    const at = this.#count * ENTRY_WORDS
    entries[at + ENTRY_FD] = fd
    entries[at + ENTRY_SOURCE] = source
    entries[at + ENTRY_START] = start
    entries[at + ENTRY_END] = end
    entries[at + ENTRY_EXPECTED] = expectedEnd
    entries[at + ENTRY_ERRNO] = 0
    entries[at + ENTRY_WRITTEN] = -1
    this.#count++
  }

  /**
   * Writes everything that waits, in order.
   *
   * @returns whether all of it is where it was expected to be; else the entries say what is
   */
  write(): boolean {
    const count = this.#count
    this.#count = 0
    return count === 0 || this.#native.write(count) === 0
  }

  /** What was to be written, as long as nothing else stands in its memory. */
  bytesOf(entry: number): Uint8Array {
    const at = entry * ENTRY_WORDS
    const memory = this.#word(at + ENTRY_SOURCE) === SOURCE_ARENA ? this.arena.buffer : this.#used
    const start = this.#word(at + ENTRY_START)
    return new Uint8Array(memory, start, this.#word(at + ENTRY_END) - start)
  }

  /** After `write` was not as expected: was this entry? */
  isAsExpected(entry: number): boolean {
    return this.#entries[entry * ENTRY_WORDS + ENTRY_WRITTEN] === -1
  }

  /** Bytes of an entry that are not in the file. */
  lost(entry: number): number {
    const at = entry * ENTRY_WORDS
    const length = this.#word(at + ENTRY_END) - this.#word(at + ENTRY_START)
    return length - this.#word(at + ENTRY_WRITTEN)
  }

  /** Why; 0 when nothing failed. */
  errnoOf(entry: number): number {
    return this.#word(entry * ENTRY_WORDS + ENTRY_ERRNO)
  }

  /** How long the entry's file is. */
  endOf(entry: number): number {
    const at = entry * ENTRY_WORDS
    return (
      (this.#word(at + ENTRY_END_LOW) >>> 0) + (this.#word(at + ENTRY_END_HIGH) >>> 0) * 2 ** 32
    )
  }

  #word(at: number): number {
    return this.#entries[at] as number
  }
}

/** What is known of a file that was opened. */
export class FileFacts {
  readonly #memory = new ArrayBuffer(24)
  /** Device and inode as 32-bit words: they tell whether it is the same file. */
  readonly identity = new Int32Array(this.#memory, 0, 4)
  readonly #size = new Float64Array(this.#memory, 16, 1)

  /** Bytes; 0 of what is no regular file. */
  get size(): number {
    return this.#size[0] as number
  }

  /**
   * Opens a log for appending and makes it (mode 0644) where it is not there; nothing waits for a
   * pipe's reader.
   *
   * @returns the descriptor, or an errno below zero
   */
  open(path: string): number {
    return addon.openLog(path, this.#memory)
  }
}
