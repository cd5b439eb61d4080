/**
 * Append-only log files, more of them than there may be descriptors.
 *
 * ```
 *   append ─► entry ┐
 *   append ─► entry ┼─► one native call at the end of the batch ─► files ─► those that are too long
 *   append ─► entry ┘   (outside of a batch: at once)                       become .1, .2 …
 * ```
 *
 * Every guest has a log, and a host may allow 20,000 descriptors and no more. A file is opened by its
 * first line and stays open; where there is no room for another one, any other is closed, and opened
 * again by its next line. Any, not the one that was written longest ago: docs/decisions/0014.
 *
 * Writes are synchronous: when the turn of the event loop ends, its output is in the files, in order,
 * whatever happens to the daemon next. What cannot be written is counted, said once, and holds up nobody.
 */
import { renameSync, unlinkSync } from 'node:fs'
import { constants } from 'node:os'
import type { Logger } from '../../native/os/log.ts'
import {
  type FileFacts,
  LogWriter,
  MAX_ENTRIES,
  SOURCE_ARENA,
  SOURCE_USED,
} from '../../native/os/log-writer.ts'
import type { BatchListener } from '../ring/console-ring.ts'
import { LogFile, type LogOwner } from './log-file.ts'
import { statsOf } from './log-tail.ts'

const { EMFILE, ENFILE } = constants.errno
/** What is copied into the arena at a time. */
const PIECE_BYTES = 65_536

interface LogLimits {
  /** Descriptors. */
  readonly maxOpen: number
  /** A file that is as long is put aside; Infinity: none is. */
  readonly maxBytes?: number
  /** So many that were put aside are kept: .1 is the newest. */
  readonly keep?: number
}

/** What became of what waited for a file. */
interface Settling {
  /** As it would be if nobody else had changed the file. */
  length: number
  lost: number
  /** All that was to be written, from the first byte on that was not. */
  readonly pieces: Uint8Array[]
  errno: number
  isMoved: boolean
}

export class LogFiles implements BatchListener {
  readonly log: Logger
  readonly #pick: (open: readonly LogFile[]) => number
  readonly #writer = new LogWriter()
  readonly #open: LogFile[] = []
  readonly #files = new Map<string, LogFile>()
  /** Whose the entries that wait are. */
  readonly #queued: LogFile[] = []
  /** Those that have become too long. */
  #due: LogFile[] = []
  #batchBytes: Uint8Array | undefined
  #isInBatch = false
  /** What waits is for a file, too, to which the last could not be written. */
  #hasFailing = false
  #arenaUsed = 0
  /** Bytes that could not be written, in all. */
  dropped = 0
  /** How often what was open became out of date. */
  generation = 0
  /** Number of the next call of the writer. */
  #write = 1
  #maxOpen: number
  readonly #maxBytes: number
  readonly #keep: number

  /** @param pick which one of the open ones is closed for another one */
  constructor(
    { maxOpen, maxBytes = Number.POSITIVE_INFINITY, keep = 0 }: LogLimits,
    log: Logger,
    pick: (open: readonly LogFile[]) => number = anyOf,
  ) {
    this.#maxOpen = maxOpen
    this.#maxBytes = maxBytes
    this.#keep = keep
    this.log = log
    this.#pick = pick
  }

  get openCount(): number {
    return this.#open.length
  }

  /**
   * The log at a path: one for all who write to it, so that two guests of one name share it, line by
   * line.
   *
   * @param owner is told of what happens to it, until `release`
   */
  file(path: string, owner?: LogOwner): LogFile {
    const known = this.#files.get(path)
    const file = known ?? new LogFile(this, path, this.#maxBytes)
    if (known === undefined) this.#files.set(path, file)
    file.users++
    // Put together anew: what grows takes room for sixteen more.
    if (owner !== undefined) file.owners = [...file.owners, owner]
    return file
  }

  /** The owner does not write to it any more. */
  release(file: LogFile, owner?: LogOwner): void {
    if (owner !== undefined) file.owners = file.owners.filter((other) => other !== owner)
    file.users--
    if (file.users > 0) return
    file.close()
    this.#files.delete(file.path)
  }

  /** From now on so many descriptors more (or fewer, below 0) are somebody else's; one is always left. */
  lend(count: number): void {
    this.#maxOpen -= count
    this.#closeDownTo(this.#maxOpen)
  }

  /** Paths may be other files from now on: each log is to be opened anew, at the latest by its next line. */
  outdate(): void {
    this.generation++
  }

  /** Calls; what is written meanwhile goes out with one flush. */
  together(run: () => void): void {
    this.#isInBatch = true
    try {
      run()
    } finally {
      this.batchEnds()
    }
  }

  batchBegins(bytes: Uint8Array): void {
    this.#isInBatch = true
    if (bytes === this.#batchBytes || !(bytes.buffer instanceof ArrayBuffer)) return
    this.flush()
    this.#batchBytes = bytes
    this.#writer.use(bytes.buffer)
  }

  batchEnds(): void {
    this.#isInBatch = false
    this.flush()
  }

  /** Everything that waits goes out, before anything is read. */
  flush(): void {
    const count = this.#writer.count
    if (count > 0) {
      const isAsExpected = this.#writer.write()
      this.#write++
      this.#arenaUsed = 0
      if (!isAsExpected || this.#hasFailing) this.#settle(count)
    }
    if (this.#due.length > 0) this.#rotate()
  }

  close(): void {
    this.flush()
    this.#closeDownTo(0)
  }

  // --- for LogFile and GuestLog

  /**
   * Room in `arena` for bytes that are made on the way; valid until the next call of anything else.
   *
   * @param bytes at most the arena's half
   * @returns where it begins
   */
  room(bytes: number): number {
    if (this.#arenaUsed + bytes > this.#writer.arena.length) this.flush()
    return this.#arenaUsed
  }

  get arena(): Uint8Array {
    return this.#writer.arena
  }

  /** For LogFile: what `room` gave was filled up to `end`. */
  putMade(file: LogFile, start: number, end: number): void {
    this.#arenaUsed = end
    this.#put(file, SOURCE_ARENA, start, end)
  }

  /** For LogFile. */
  putBytes(file: LogFile, bytes: Uint8Array, start: number, end: number): void {
    if (this.#isInBatch && bytes === this.#batchBytes) {
      this.#put(file, SOURCE_USED, bytes.byteOffset + start, bytes.byteOffset + end)
      return
    }
    for (let at = start; at < end; ) {
      const length = Math.min(PIECE_BYTES, end - at)
      const room = this.room(length)
      this.#writer.arena.set(bytes.subarray(at, at + length), room)
      this.putMade(file, room, room + length)
      at += length
    }
  }

  /** For LogFile: something of it waits. */
  isWaiting(file: LogFile): boolean {
    return file.lastWrite === this.#write && this.#writer.count > 0
  }

  /** For LogFile only. @returns the descriptor, or an errno below zero */
  open(file: LogFile, facts: FileFacts): number {
    this.#closeDownTo(this.#maxOpen - 1)
    let fd = facts.open(file.path)
    // Viewers and others take descriptors, too: a log can do without its own for a while.
    if ((fd === -EMFILE || fd === -ENFILE) && this.#open.length > 0) {
      this.#closeDownTo(this.#open.length - 1)
      fd = facts.open(file.path)
    }
    if (fd < 0) return fd
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

  #put(file: LogFile, source: number, start: number, end: number): void {
    file.size += end - start
    file.bytes += end - start
    file.lastWrite = this.#write
    const count = this.#writer.count
    this.#queued[count] = file
    if (file.isFailing) this.#hasFailing = true
    this.#writer.put(file.fd, source, start, end, file.size)
    if (file.size >= file.dueAt && !file.isDue) {
      file.isDue = true
      this.#due.push(file)
    }
    if (!this.#isInBatch || count + 1 === MAX_ENTRIES) this.flush()
  }

  /** Something failed, or did not any more, or a file is not as long as it was known to be. */
  #settle(count: number): void {
    this.#hasFailing = false
    const settled = new Map<LogFile, Settling>()
    for (let entry = 0; entry < count; entry++) {
      const file = this.#queued[entry]
      if (file === undefined) continue
      const isAsExpected = this.#writer.isAsExpected(entry)
      const known = settled.get(file)
      if (isAsExpected && known === undefined && !file.isFailing) continue
      const found = known ?? { length: file.size, lost: 0, pieces: [], errno: 0, isMoved: false }
      settled.set(file, found)
      const lost = isAsExpected ? 0 : this.#writer.lost(entry)
      if (lost > 0 || found.lost > 0) {
        const bytes = this.#writer.bytesOf(entry)
        // What was written behind a gap is wanted, too.
        found.pieces.push(found.lost > 0 ? bytes : bytes.subarray(bytes.length - lost))
      }
      if (isAsExpected) continue
      found.isMoved = true
      found.length -= lost
      found.lost += lost
      found.errno ||= this.#writer.errnoOf(entry)
      file.size = this.#writer.endOf(entry)
    }
    for (const [file, { length, lost, pieces, errno, isMoved }] of settled) {
      file.settle(lost, errno)
      if (!isMoved) continue
      // 0 is also what a file says to which nothing could be written since it was opened.
      if (file.size > 0 && file.size < length) file.beganAnew(false)
      const isOfOne = file.owners.length === 1
      const missing = lost === 0 ? undefined : Buffer.concat(isOfOne ? pieces : [])
      for (const owner of file.owners) owner.logMoved(missing)
    }
  }

  #rotate(): void {
    const due = this.#due
    this.#due = []
    for (const file of due) {
      file.isDue = false
      if (file.size < file.dueAt) continue
      if (isNoRegularFile(file.path)) {
        file.dueAt += file.size
        continue
      }
      for (const owner of file.owners) owner.logMoves()
      file.close()
      file.dueAt = this.#maxBytes
      const isAside = this.#putAside(file)
      if (!isAside) file.dueAt += file.size
      if (!file.isReady()) continue
      for (const owner of file.owners) {
        if (isAside) owner.logFollows(true)
        else owner.logMoved()
      }
    }
  }

  /** @returns false when it cannot; then it is tried again when the file is longer by a whole length */
  #putAside({ path }: LogFile): boolean {
    try {
      if (this.#keep === 0) unlinkSync(path)
      for (let i = this.#keep; i > 0; i--) {
        renameIfThere(i === 1 ? path : `${path}.${i - 1}`, `${path}.${i}`)
      }
      return true
    } catch (error) {
      this.log.error({ err: error, path }, 'cannot put the log aside')
      return false
    }
  }

  #closeDownTo(count: number): void {
    while (this.#open.length > Math.max(0, count)) this.#open[this.#pick(this.#open)]?.close()
  }
}

/** A pipe or a device, which somebody has put there on purpose. */
function isNoRegularFile(path: string): boolean {
  return statsOf(path)?.isFile() === false
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}

function anyOf(open: readonly LogFile[]): number {
  return Math.floor(Math.random() * open.length)
}
