/**
 * Append-only log files, more of them than there are descriptors.
 *
 * Every guest has a log, and a host may allow 20,000 descriptors and no more. So at most `maxOpen`
 * files are open, the least recently written one is closed first, and a closed one is opened again
 * by its next line. Writes are synchronous: when the turn of the event loop ends, its output is in
 * the files, in order, whatever happens to the daemon next.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import type { Logger } from '../native/os/log.ts'

const LOG_MODE = 0o644

export class LogFiles {
  readonly #maxOpen: number
  readonly #log: Logger
  /** Open files, least recently written first. */
  readonly #open = new Map<LogFile, number>()

  constructor(maxOpen: number, log: Logger) {
    this.#maxOpen = maxOpen
    this.#log = log
  }

  get openCount(): number {
    return this.#open.size
  }

  file(path: string): LogFile {
    return new LogFile(this, path, this.#log)
  }

  /** @throws the error of open(2) */
  descriptorOf(file: LogFile): number {
    const open = this.#open.get(file)
    if (open !== undefined) {
      // Only a crowded table needs to know who wrote last.
      if (this.#open.size * 2 > this.#maxOpen) {
        this.#open.delete(file)
        this.#open.set(file, open)
      }
      return open
    }
    if (this.#open.size >= this.#maxOpen) {
      for (const oldest of this.#open.keys()) {
        this.release(oldest)
        break
      }
    }
    const fd = openSync(file.path, 'a', LOG_MODE)
    this.#open.set(file, fd)
    return fd
  }

  release(file: LogFile): void {
    const fd = this.#open.get(file)
    if (fd === undefined) return
    this.#open.delete(file)
    closeSync(fd)
  }

  close(): void {
    for (const file of [...this.#open.keys()]) this.release(file)
  }
}

export class LogFile {
  readonly path: string
  readonly #files: LogFiles
  readonly #log: Logger
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
      return fstatSync(this.#files.descriptorOf(this)).size
    } catch (error) {
      this.#failed(error)
      return 0
    }
  }

  /** Never throws: a log that cannot be written must not stop a console. */
  append(bytes: Uint8Array, start: number, end: number): void {
    try {
      const fd = this.#files.descriptorOf(this)
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
    this.#files.release(this)
  }

  #failed(error: unknown): void {
    if (!this.#isFailing) this.#log.error({ err: error, path: this.path }, 'cannot write the log')
    this.#isFailing = true
  }
}
