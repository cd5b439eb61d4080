/**
 * Append-only log files, more of them than there may be descriptors.
 *
 * Every guest has a log, and a host may allow 20,000 descriptors and no more. A file is opened by its
 * first line and stays open; where there is no room for another one, any other is closed, and opened
 * again by its next line. Any, not the one that was written longest ago: guests that all speak once a
 * second take turns, and of one file too many each would be closed just before it is needed.
 *
 * Writes are synchronous: when the turn of the event loop ends, its output is in the files, in order,
 * whatever happens to the daemon next.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import type { Logger } from '../../native/os/log.ts'

const LOG_MODE = 0o644
const CLOSED = -1

export class LogFiles {
  readonly #log: Logger
  readonly #pick: (count: number) => number
  readonly #open: LogFile[] = []
  #maxOpen: number

  /** @param pick which one of so many is closed for another one */
  constructor(maxOpen: number, log: Logger, pick: (count: number) => number = anyOf) {
    this.#maxOpen = maxOpen
    this.#log = log
    this.#pick = pick
  }

  get openCount(): number {
    return this.#open.length
  }

  file(path: string): LogFile {
    return new LogFile(this, path, this.#log)
  }

  /** From now on so many descriptors more (or fewer, below 0) are somebody else's; one is always left. */
  lend(count: number): void {
    this.#maxOpen -= count
    this.#closeDownTo(this.#maxOpen)
  }

  /** For LogFile only. @returns the descriptor @throws the error of open(2) */
  open(file: LogFile): number {
    this.#closeDownTo(this.#maxOpen - 1)
    const fd = openSync(file.path, 'a', LOG_MODE)
    file.slot = this.#open.length
    this.#open.push(file)
    return fd
  }

  /** For LogFile only. */
  closed(file: LogFile): void {
    const last = this.#open.pop()
    if (last === undefined || last === file) return
    last.slot = file.slot
    this.#open[file.slot] = last
  }

  close(): void {
    this.#closeDownTo(0)
  }

  #closeDownTo(count: number): void {
    while (this.#open.length > Math.max(0, count))
      this.#open[this.#pick(this.#open.length)]?.close()
  }
}

export class LogFile {
  readonly path: string
  /** Where it stands among the open ones; LogFiles keeps it. */
  slot = 0
  readonly #files: LogFiles
  readonly #log: Logger
  #fd = CLOSED
  /** A full disk is news once, not once per line. */
  #isFailing = false

  constructor(files: LogFiles, path: string, log: Logger) {
    this.#files = files
    this.path = path
    this.#log = log
  }

  /** Makes the file if it is not there. @returns its length; 0 when it cannot be opened */
  open(): number {
    try {
      return fstatSync(this.#descriptor()).size
    } catch (error) {
      this.#failed(error)
      return 0
    }
  }

  /** Never throws: a log that cannot be written must not stop a console. */
  append(bytes: Uint8Array, start: number, end: number): void {
    try {
      const fd = this.#descriptor()
      let at = start
      while (at < end) at += writeSync(fd, bytes, at, end - at)
      this.#isFailing = false
    } catch (error) {
      this.#failed(error)
    }
  }

  /** The last bytes of the file, at most `maxBytes`, none from before `from`. */
  tail(maxBytes: number, from: number): Buffer {
    let fd: number
    try {
      fd = openSync(this.path, 'r')
    } catch {
      return Buffer.alloc(0)
    }
    try {
      const { size } = fstatSync(fd)
      // A file shorter than at `from` has been rotated; then all of it is newer.
      const oldest = from <= size ? from : 0
      const start = Math.max(oldest, size - maxBytes)
      const into = Buffer.alloc(Math.max(0, size - start))
      return into.subarray(0, readSync(fd, into, 0, into.length, start))
    } finally {
      closeSync(fd)
    }
  }

  /** Closes the descriptor; the next `append` opens the path again. */
  close(): void {
    if (this.#fd === CLOSED) return
    closeSync(this.#fd)
    this.#fd = CLOSED
    this.#files.closed(this)
  }

  #descriptor(): number {
    if (this.#fd === CLOSED) this.#fd = this.#files.open(this)
    return this.#fd
  }

  #failed(error: unknown): void {
    if (!this.#isFailing) this.#log.error({ err: error, path: this.path }, 'cannot write the log')
    this.#isFailing = true
  }
}

function anyOf(count: number): number {
  return Math.floor(Math.random() * count)
}
