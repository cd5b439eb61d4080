/**
 * What a log holds already of what is still in its guest's ring, after a process was killed between the
 * write and giving the bytes back.
 */
import type { LogPlace } from './console-states.ts'
import type { LogListing } from './log-listing.ts'
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
  /** What was put aside before the file at the log's path: the file that was left, if that is not the log itself. */
  readonly aside: string
}

/**
 * How a log stands that holds what the guest prints as it is.
 *
 * @param position ring index of the first byte in the ring
 * @returns undefined: not as it was left, so nothing is known of it
 */
export function leftRaw(
  place: LogPlace,
  path: string,
  position: number,
  listing: LogListing,
): LeftLog | undefined {
  const found = findLeft(place, path, listing)
  if (found === undefined) return undefined
  const { size, isInPlace, aside } = found
  const expected = place.offset + ((position - place.index) | 0)
  const surplus = size - expected
  if (surplus < 0 || surplus > RING_BYTES) return undefined
  // Viewers look for it in the log and in `.1`, and nowhere else.
  const isNear = isInPlace || aside === asidePath(path)
  const unbroken = isNear ? Math.max(0, size - place.offset) : 0
  return { surplus, surplusLines: undefined, unbroken, isInPlace, aside }
}

/** The same of one whose bytes are changed on the way: by the lengths before and after the last write. */
export function leftChanged(
  place: LogPlace,
  path: string,
  position: number,
  listing: LogListing,
): LeftLog | undefined {
  const found = findLeft(place, path, listing)
  const length = (place.indexAfter - position) | 0
  if (found === undefined || place.index !== position || length <= 0 || length > RING_BYTES) {
    return undefined
  }
  const { size, isInPlace, aside } = found
  const left = { surplus: length, unbroken: 0, isInPlace, aside }
  if (size >= place.offsetAfter) return { ...left, surplusLines: undefined }
  if (size <= place.offset) return undefined
  // Cut off in the middle: whole lines are not repeated.
  const written = tailOf(isInPlace ? path : aside, size - place.offset)
  return { ...left, surplusLines: written.filter((byte) => byte === LF).length }
}

/** @returns how many of the ring's first bytes a raw log ends with: all of the surplus, or none */
export function sameBytes(path: string, { surplus, aside }: LeftLog, bytes: Uint8Array): number {
  if (surplus > bytes.length) return 0
  const logged = tailOfBoth(path, surplus, aside)
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

interface Found {
  readonly size: number
  readonly isInPlace: boolean
  readonly aside: string
}

/** The file in which the place is: the log, what was put aside, or what others have put somewhere else. */
function findLeft({ identity }: LogPlace, path: string, listing: LogListing): Found | undefined {
  const aside = asidePath(path)
  const size = sizeIfSame(path, identity)
  if (size !== undefined) return { size, isInPlace: true, aside }
  const sizeAside = sizeIfSame(aside, identity)
  if (sizeAside !== undefined) return { size: sizeAside, isInPlace: false, aside }
  const elsewhere = listing.find(identity)
  const sizeThere = elsewhere === undefined ? undefined : sizeIfSame(elsewhere, identity)
  if (elsewhere === undefined || sizeThere === undefined) return undefined
  return { size: sizeThere, isInPlace: false, aside: elsewhere }
}
