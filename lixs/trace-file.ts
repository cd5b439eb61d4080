import { closeSync, constants, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

const BUFFER_BYTES = 64 * 1024

/** Not blocking: a named pipe that nobody reads is an error, not the end of all service. */
const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants
const APPENDING = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY

/**
 * Opens a file that an operator named, to write behind what is in it.
 *
 * @throws NodeJS.ErrnoException
 */
export function openAppending(file: string): number {
  return openSync(file, APPENDING, 0o640)
}

/** Where the lines of a trace go. */
export interface TraceOutput {
  /** The file that is, or would be, written to. */
  readonly file: string | undefined
  readonly isOpen: boolean
  /**
   * Goes on in a file, by default in the one it had before.
   * @throws NodeJS.ErrnoException when it cannot be opened; then everything stays as it was
   */
  open(file?: string): void
  close(): void
  /** @param line ASCII, with its newline */
  write(line: string): void
}

/**
 * A trace file: lines are gathered while one turn of the event loop lasts, then written in one piece.
 *
 * A line that cannot be written is lost, and nothing else: a full disk may not stop the daemon.
 */
export class TraceFile implements TraceOutput {
  readonly #buffer = Buffer.alloc(BUFFER_BYTES)
  #used = 0
  #fd: number | undefined
  file: string | undefined

  /** @param file where `open` goes unless told otherwise; nothing is opened yet */
  constructor(file: string | undefined) {
    this.file = file
  }

  get isOpen(): boolean {
    return this.#fd !== undefined
  }

  open(file = this.file): void {
    if (file === undefined) throw new Error('no trace file was named')
    mkdirSync(dirname(file), { recursive: true })
    const fd = openAppending(file)
    this.close()
    this.#fd = fd
    this.file = file
  }

  /** After the file was moved away: goes on in a new one; in the old one when that cannot be. */
  reopen(): void {
    if (this.#fd === undefined) return
    try {
      this.open()
    } catch {
      // Called on SIGHUP: nobody is there to be told.
    }
  }

  close(): void {
    this.flush()
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  write(line: string): void {
    if (this.#fd === undefined) return
    if (this.#used === 0) setImmediate(() => this.flush())
    if (this.#used + line.length > BUFFER_BYTES) this.flush()
    this.#used += this.#buffer.write(line, this.#used, 'latin1')
  }

  /** Writes out what was gathered. */
  flush(): void {
    const end = this.#used
    this.#used = 0
    if (this.#fd === undefined) return
    try {
      for (let at = 0; at < end; ) at += writeSync(this.#fd, this.#buffer, at, end - at)
    } catch {
      // ENOSPC and the like: where should it be told?
    }
  }
}
