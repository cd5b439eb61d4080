/**
 * What a log holds already of what is still in its guest's ring, after a process was killed between the
 * write and giving the bytes back.
 */
import type { LogPlace } from './console-states.ts'
import { asidePath, sizeIfSame, tailOf, tailOfBoth } from './log-tail.ts'

/** No ring holds more. */
const RING_BYTES = 2048
const LF = 0x0a

/** Of a log that was left behind. */
export interface LeftLog {
  /** Bytes at the front of the ring that the log holds, if they are the same. */
  readonly surplus: number
  /** Undefined: bytes count, not lines. */
  readonly surplusLines: number | undefined
  /** Bytes at the log's end that the guest printed, without a gap. */
  readonly unbroken: number
  /** The place is true for the file at the log's path, too. */
  readonly isInPlace: boolean
}

/**
 * How a log stands that holds what the guest prints as it is.
 *
 * @param position ring index of the first byte in the ring
 * @returns undefined: not as it was left, so nothing is known of it
 */
export function leftRaw(place: LogPlace, path: string, position: number): LeftLog | undefined {
  const size = sizeAt(place, path)
  if (size === undefined) return undefined
  const expected = place.offset + ((position - place.index) | 0)
  const surplus = size - expected
  if (surplus < 0 || surplus > RING_BYTES) return undefined
  const unbroken = Math.max(0, size - place.offset)
  const isInPlace = sizeIfSame(path, place.identity) !== undefined
  return { surplus, surplusLines: undefined, unbroken, isInPlace }
}

/** The same of one whose bytes are changed on the way: by the lengths before and after the last write. */
export function leftChanged(place: LogPlace, path: string, position: number): LeftLog | undefined {
  const size = sizeAt(place, path)
  const length = (place.indexAfter - position) | 0
  if (size === undefined || place.index !== position || length <= 0 || length > RING_BYTES) {
    return undefined
  }
  const isInPlace = sizeIfSame(path, place.identity) !== undefined
  const left = { surplus: length, unbroken: 0, isInPlace }
  if (size >= place.offsetAfter) return { ...left, surplusLines: undefined }
  if (size <= place.offset) return undefined
  // Cut off in the middle: whole lines are not repeated.
  const written = tailOf(isInPlace ? path : asidePath(path), size - place.offset)
  return { ...left, surplusLines: written.filter((byte) => byte === LF).length }
}

/** @returns how many of the ring's first bytes a raw log ends with: all of the surplus, or none */
export function sameBytes(path: string, surplus: number, bytes: Uint8Array): number {
  if (surplus > bytes.length) return 0
  const logged = tailOfBoth(path, surplus)
  return logged.equals(bytes.subarray(0, surplus)) ? surplus : 0
}

/** @returns how many bytes so many lines are, none of them past `most` */
export function bytesOfLines(lines: number, most: number, bytes: Uint8Array): number {
  let at = 0
  for (let left = lines; left > 0; left--) {
    const end = bytes.indexOf(LF, at)
    if (end === -1 || end >= most) return at
    at = end + 1
  }
  return at
}

/** Length of the file in which the place is, be it the log or what was put aside. */
function sizeAt({ identity }: LogPlace, path: string): number | undefined {
  return sizeIfSame(path, identity) ?? sizeIfSame(asidePath(path), identity)
}
