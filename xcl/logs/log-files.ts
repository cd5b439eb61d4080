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

const { O_NONBLOCK, O_RDONLY } = constants
const CHUNK_BYTES = 65_536
const LF = 0x0a

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

/** @returns the oldest first; none when there is no such log @throws NodeJS.ErrnoException, Error */
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

/** @returns undefined when there is no such file @throws NodeJS.ErrnoException, Error for any other reason */
async function openPart(path: string): Promise<LogPart | undefined> {
  let handle: FileHandle
  try {
    // Of a pipe, whoever opens it would wait for a writer.
    handle = await open(path, O_RDONLY | O_NONBLOCK)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  const facts = await handle.stat()
  if (!facts.isFile()) {
    await handle.close()
    throw new Error(`${path} is no regular file`)
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

/** Where the lines since a time begin, and whether that is known by times in the log. */
export async function linesSince(
  parts: readonly LogPart[],
  sinceMs: number,
): Promise<LogPlace & { readonly isExact: boolean }> {
  const since = stampOf(sinceMs)
  for (const [part, file] of parts.entries()) {
    // Nothing in it is younger than its last write; a stamp has no fractions of a second.
    if (file.mtimeMs < Math.floor(sinceMs / 1000) * 1000) continue
    const { offset, hasStamps } = await firstSince(file, since)
    if (offset !== undefined) return { part, offset, isExact: true }
    if (!hasStamps && file.size > 0) return { part, offset: 0, isExact: false }
  }
  const last = parts.length - 1
  return { part: last, offset: parts[last]?.size ?? 0, isExact: true }
}

async function firstSince(
  { handle }: LogPart,
  since: string,
): Promise<{ readonly offset: number | undefined; readonly hasStamps: boolean }> {
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
      if (stamp !== undefined) {
        hasStamps = true
        if (stamp >= since) return { offset: base + at, hasStamps }
      }
      const next = bytes.indexOf(LF, at)
      if (next === -1) break
      at = next + 1
    }
    // The last line may go on, and its stamp with it.
    const isLong: boolean = bytes.length - at > 64
    isLineStart = !isLong
    rest = isLong ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at))
    base += isLong ? bytes.length : at
  }
  return { offset: undefined, hasStamps }
}

/** The later of two places. */
export function laterOf(one: LogPlace, other: LogPlace): LogPlace {
  if (one.part !== other.part) return one.part > other.part ? one : other
  return one.offset > other.offset ? one : other
}
