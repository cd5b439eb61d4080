/**
 * A guest's log on disk: the file that is written, and those that it was before.
 *
 * ```
 * guest-web.log.2   guest-web.log.1   guest-web.log
 * oldest                              written now
 * ```
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { stampAt, stampOf } from './log-times.ts'

const CHUNK_BYTES = 65_536
const LF = 0x0a
/** More than a stamp has. */
const STAMP_ROOM = 64

/** One file, open; it stays readable when it is renamed or removed. */
export interface LogPart {
  readonly handle: FileHandle
  readonly ino: number
  readonly size: number
  /** When it was last written, ms since 1970. */
  readonly mtimeMs: number
}

/** A place in the parts of a log. */
export interface LogPlace {
  readonly part: number
  readonly offset: number
}

/** Something else lies where a log is looked for: a folder, a pipe that nobody would ever fill. */
export class NoLogFile extends Error {
  override readonly name = 'NoLogFile'

  constructor(path: string) {
    super(`${path} is no log: it is no regular file`)
  }
}

/** @returns the oldest first; none when there is no such log @throws NoLogFile, NodeJS.ErrnoException */
export async function openLogParts(path: string): Promise<LogPart[]> {
  const parts: LogPart[] = []
  const newest = await openPart(path)
  if (newest !== undefined) parts.unshift(newest)
  for (let i = 1; ; i++) {
    const older = await openPart(`${path}.${i}`)
    if (older === undefined) return parts
    // Rotated while we looked: it is here under its new name, too.
    if (parts.some(({ ino }) => ino === older.ino)) await older.handle.close()
    else parts.unshift(older)
  }
}

export async function closeParts(parts: readonly LogPart[]): Promise<void> {
  await Promise.all(parts.map(({ handle }) => handle.close()))
}

/** @returns undefined when there is no such file @throws NoLogFile, NodeJS.ErrnoException */
async function openPart(path: string): Promise<LogPart | undefined> {
  let handle: FileHandle
  try {
    // Of a pipe, whoever opens it would wait for a writer.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  const facts = await handle.stat()
  if (!facts.isFile()) {
    await handle.close()
    throw new NoLogFile(path)
  }
  const { ino, size, mtimeMs } = facts
  return { handle, ino, size, mtimeMs }
}

/** The bytes of one file from there on, piece by piece; each piece is valid until the next. */
export async function* piecesOf(handle: FileHandle, from: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  for (let at = from; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, at)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}

/** Where the last lines begin; a line that has not ended counts. */
export async function lastLines(parts: readonly LogPart[], count: number): Promise<LogPlace> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  let left = count
  let isLast = true
  for (let part = parts.length - 1; part >= 0; part--) {
    const file = parts[part]
    if (file === undefined) break
    if (left === 0) return { part, offset: file.size }
    for (let end = file.size; end > 0; ) {
      const begin = Math.max(0, end - CHUNK_BYTES)
      const { bytesRead } = await file.handle.read(buffer, 0, end - begin, begin)
      for (let i = bytesRead - 1; i >= 0; i--) {
        const isEndOfAll = isLast && begin + i === file.size - 1
        if (buffer[i] !== LF || isEndOfAll) continue
        left--
        if (left === 0) return { part, offset: begin + i + 1 }
      }
      end = begin
    }
    if (file.size > 0) isLast = false
  }
  return { part: 0, offset: 0 }
}

/**
 * Where the lines since a time begin, and whether that is known by times in the log. In a log without
 * times a guest can print some: they are trusted only where each line has one, and not when the console
 * daemon says that it writes none. What is not known is shown.
 * @param isStamped what the console daemon says; undefined: nothing
 */
export async function linesSince(
  parts: readonly LogPart[],
  sinceMs: number,
  isStamped?: boolean,
): Promise<LogPlace & { readonly isExact: boolean }> {
  const since = stampOf(sinceMs)
  for (const [part, file] of parts.entries()) {
    // Nothing in it is younger than its last write; a stamp has no fractions of a second.
    if (file.mtimeMs < Math.floor(sinceMs / 1000) * 1000) continue
    if (file.size === 0) continue
    const offset = isStamped === false ? 'unknown' : await firstSince(file, since)
    if (offset === 'unknown') return { part, offset: 0, isExact: false }
    if (offset !== undefined) return { part, offset, isExact: true }
  }
  const last = parts.length - 1
  return { part: last, offset: parts[last]?.size ?? 0, isExact: true }
}

/** @returns undefined: all is older; `unknown`: a line before it has no stamp */
async function firstSince(
  { handle }: LogPart,
  since: string,
): Promise<number | 'unknown' | undefined> {
  let hasStamps = false
  /** Offset of the first byte of `rest`, which begins a line or is in the midst of one. */
  let base = 0
  let isLineStart = true
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of piecesOf(handle, 0)) {
    const bytes = Buffer.concat([rest, piece])
    let at: number = isLineStart ? 0 : bytes.indexOf(LF) + 1
    if (!isLineStart && at === 0) {
      base += bytes.length
      rest = Buffer.alloc(0)
      continue
    }
    for (;;) {
      const stamp = stampAt(bytes, at)
      if (stamp !== undefined && stamp >= since) return base + at
      const next = bytes.indexOf(LF, at)
      hasStamps ||= stamp !== undefined
      // The first line of a file may have begun in the one before.
      const isFirst = base + at === 0
      if (stamp === undefined && !isFirst && isWhole(bytes, at, next)) return 'unknown'
      if (next === -1) break
      at = next + 1
    }
    // The last line may go on, and its stamp with it.
    const isLong: boolean = bytes.length - at > STAMP_ROOM
    isLineStart = !isLong
    rest = isLong ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at))
    base += isLong ? bytes.length : at
  }
  return hasStamps ? undefined : 'unknown'
}

/** Whether enough of a line is there to tell that it has no stamp. */
function isWhole(bytes: Buffer, at: number, end: number): boolean {
  return end !== -1 || bytes.length - at > STAMP_ROOM
}

/** The later of two places. */
export function laterOf(one: LogPlace, other: LogPlace): LogPlace {
  if (one.part !== other.part) return one.part > other.part ? one : other
  return one.offset > other.offset ? one : other
}
