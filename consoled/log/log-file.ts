import { closeSync } from 'node:fs'
import { getSystemErrorName } from 'node:util'
import { FileFacts } from '../../native/os/log-writer.ts'
import type { LogFiles } from './log-files.ts'
import { asidePath, sizeIfSame } from './log-tail.ts'

const CLOSED = -1

/** Whoever writes to a file and knows what is in it. */
export interface LogOwner {
  /** The path may be another file soon. */
  logMoves(): void
  /** The path is another file, which follows the one that was there. @param announces it begins as others do */
  logFollows(announces: boolean): void
  /**
   * The file is of another length than what was written makes it.
   *
   * @param lost what could not be written, and all that was to follow it; empty when nobody knows whose it is,
   *   undefined when nothing was lost
   */
  logMoved(lost?: Uint8Array): void
}

/** One of LogFiles: what is known of it, and its descriptor while it is open. */
export class LogFile {
  readonly path: string
  /** Of the open file, what was queued included; the last known while it is closed. */
  size = 0
  /** Bytes that are in it by us, and those that could not be. */
  bytes = 0
  dropped = 0
  /** Changes when the path is another file. */
  epoch = 0
  /** How often the path became another file, or a shorter one. */
  beginnings = 0
  /** What it was before the last time is `.1` now. */
  isAside = false
  /** As FileFacts has it. A plain array: there is a log for each guest. */
  identity: readonly number[] = [0, 0, 0, 0]
  owners: readonly LogOwner[] = []

  // What LogFiles keeps.
  users = 0
  slot = 0
  lastWrite = 0
  isDue = false
  /** From this length on it is put aside. */
  dueAt: number

  readonly #files: LogFiles
  #fd = CLOSED
  /** Of the files when this one was opened. */
  #generation = 0
  /** Of `dropped`, before the failure that lasts; undefined: none does. A full disk is news once, not once per line. */
  #droppedBefore: number | undefined

  constructor(files: LogFiles, path: string, dueAt: number) {
    this.#files = files
    this.path = path
    this.dueAt = dueAt
  }

  /** For LogFiles; below zero while it is closed. */
  get fd(): number {
    return this.#fd
  }

  /** What was tried last failed: what is tried next is to be settled, however it goes. */
  get isFailing(): boolean {
    return this.#droppedBefore !== undefined
  }

  /** It is open, and its path may be another file by now. */
  get isOutOfDate(): boolean {
    return this.#fd !== CLOSED && this.#generation !== this.#files.generation
  }

  /** Opens the file, and makes it if it is not there. @returns false when that fails, which is said */
  isReady(): boolean {
    if (this.#fd !== CLOSED) return true
    const fd = this.#files.open(this, facts)
    if (fd < 0) {
      this.#failed(fd)
      return false
    }
    this.#fd = fd
    this.#generation = this.#files.generation
    const { identity } = facts
    if (identity.some((word, i) => word !== this.identity[i])) {
      if (this.epoch > 0)
        this.beganAnew(sizeIfSame(asidePath(this.path), this.identity) !== undefined)
      this.identity = Array.from(identity)
      this.epoch++
    } else if (facts.size < this.size) this.beganAnew(false)
    this.size = facts.size
    return true
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    if (this.isReady()) this.#files.putBytes(this, bytes, start, end)
    else this.lose(end - start)
  }

  /** The same for what stands in the files' arena. */
  appendMade(start: number, end: number): void {
    if (this.isReady()) this.#files.putMade(this, start, end)
    else this.lose(end - start)
  }

  /** For LogFiles. @param isAside what it was before is `.1` now */
  beganAnew(isAside: boolean): void {
    this.beginnings++
    this.isAside = isAside
  }

  /** So much was not even tried. */
  lose(bytes: number): void {
    this.dropped += bytes
    this.#files.dropped += bytes
  }

  /** So much of what was queued is not in the file. @param errno 0: everything is */
  settle(lost: number, errno: number): void {
    if (errno !== 0) this.#failed(-errno)
    this.bytes -= lost
    this.lose(lost)
    if (errno === 0 && this.#droppedBefore !== undefined) {
      const facts = { path: this.path, lost: this.dropped - this.#droppedBefore }
      this.#droppedBefore = undefined
      this.#files.log.warn(facts, 'the log can be written again')
    }
  }

  /** Closes the descriptor; the next `append` opens the path again. */
  close(): void {
    if (this.#fd === CLOSED) return
    if (this.#files.isWaiting(this)) this.#files.flush()
    // The flush may have put it aside, and opened it anew.
    const fd = this.#fd
    if (fd === CLOSED) return
    this.#fd = CLOSED
    this.#files.closed(this)
    try {
      closeSync(fd)
    } catch (error) {
      // Some file systems say only now that there is no room.
      this.#files.log.error({ err: error, path: this.path }, 'cannot write the log')
    }
  }

  #failed(negativeErrno: number): void {
    if (this.#droppedBefore !== undefined) return
    this.#droppedBefore = this.dropped
    const code = getSystemErrorName(negativeErrno)
    this.#files.log.error({ code, path: this.path }, 'cannot write the log')
  }
}

/** Of the file that is being opened. */
const facts = new FileFacts()
