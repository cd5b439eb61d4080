/** Reading logs back: what was written last, also where it has been put aside meanwhile. */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  statSync,
} from 'node:fs'

const { O_NONBLOCK, O_RDONLY } = constants

/**
 * What is at a path; undefined when that cannot be said. A link that leads to itself, or a disk that is broken,
 * is one guest's misfortune and must not end the service for all.
 */
export function statsOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch {
    // As good as not there: nothing can be read from it.
    return undefined
  }
}

/** Where the newest of those is that were put aside, if there is one. */
export function asidePath(path: string): string {
  return `${path}.1`
}

/** The last bytes of what was put aside, as `tailOf` has them. Most logs have none, which costs little to find out. */
export function tailOfAside(path: string, maxBytes: number, from: number): Buffer {
  const aside = asidePath(path)
  return statsOf(aside) !== undefined ? tailOf(aside, maxBytes, from) : Buffer.alloc(0)
}

/** The last bytes of a file, at most `maxBytes`, none from before `from`; empty when there is no file. */
export function tailOf(path: string, maxBytes: number, from = 0): Buffer {
  return readFile(path, (size) => {
    // A file shorter than at `from` is another one; then all of it is newer.
    const start = Math.max(from <= size ? from : 0, size - maxBytes)
    return { start, length: size - start }
  })
}

/** The same of a log and of what was put aside before it (`aside`), as one. */
export function tailOfBoth(path: string, maxBytes: number, aside = asidePath(path)): Buffer {
  const newest = tailOf(path, maxBytes)
  if (newest.length === maxBytes) return newest
  return Buffer.concat([tailOf(aside, maxBytes - newest.length), newest])
}

/** The bytes of both from `back` bytes before their end on, at most `maxBytes`; empty when they are fewer. */
export function rangeOfBoth(path: string, back: number, maxBytes: number): Buffer {
  let size = 0
  const newest = readFile(path, (length) => {
    size = length
    const start = Math.max(0, length - back)
    const before = Math.max(0, back - length)
    return { start, length: Math.min(length - start, Math.max(0, maxBytes - before)) }
  })
  const older = back - size
  if (older <= 0) return newest
  const aside = readFile(asidePath(path), (length) => {
    const start = length - older
    return { start, length: start < 0 ? 0 : Math.min(older, maxBytes) }
  })
  return aside.length === 0 ? aside : Buffer.concat([aside, newest])
}

/** Length of the file with this identity (FileFacts); undefined when the path is another one, or none. */
export function sizeIfSame(path: string, identity: ArrayLike<number>): number | undefined {
  const found = statsOf(path)
  if (found === undefined) return undefined
  const words = new Int32Array(new BigUint64Array([found.dev, found.ino]).buffer)
  return words.every((word, i) => word === identity[i]) ? Number(found.size) : undefined
}

/** Reads a part of a file; empty when there is no such file, it is no regular one, or cannot be read. */
function readFile(
  path: string,
  partOf: (size: number) => { readonly start: number; readonly length: number },
): Buffer {
  let fd: number
  try {
    // Of a pipe that nobody writes to, all consoles would wait for the writer.
    fd = openSync(path, O_RDONLY | O_NONBLOCK)
  } catch {
    return Buffer.alloc(0)
  }
  try {
    const facts = fstatSync(fd)
    if (!facts.isFile()) return Buffer.alloc(0)
    const { start, length } = partOf(facts.size)
    const into = Buffer.alloc(Math.max(0, length))
    return into.subarray(0, readSync(fd, into, 0, into.length, start))
  } catch {
    // Whatever it is, it cannot be read.
    return Buffer.alloc(0)
  } finally {
    closeSync(fd)
  }
}
