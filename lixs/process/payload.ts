/** Reading strings and numbers out of a payload, in place. */

const ZERO = 0x30
const NINE = 0x39
const MINUS = 0x2d
const OFFSET_MAX = 0x7fffffff

/** @returns index of the first NUL in bytes[start … end), -1 when there is none */
export function findNul(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === 0) return at
  return -1
}

/** @returns how many NULs, that is, whole strings, are in bytes[start … end) */
export function countNuls(bytes: Uint8Array, start: number, end: number): number {
  let count = 0
  for (let at = start; at < end; at++) if (bytes[at] === 0) count++
  return count
}

/** Is the payload exactly one string: one NUL, and that its last byte? */
export function isOneString(bytes: Uint8Array, start: number, end: number): boolean {
  return end > start && findNul(bytes, start, end) === end - 1
}

/**
 * Reads decimal digits, leading zeros allowed, nothing else.
 *
 * @returns -1 when there is anything else, nothing, or more than `max`
 */
export function parseNumber(bytes: Uint8Array, start: number, end: number, max: number): number {
  if (start >= end) return -1
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = bytes[at] as number
    if (digit < ZERO || digit > NINE) return -1
    value = value * 10 + (digit - ZERO)
    if (value > max) return -1
  }
  return value
}

/**
 * Reads an offset as C's `atoi` does: digits up to what is none, 0 without any.
 *
 * @returns behind every end when it is negative or too large
 */
export function parseOffset(bytes: Uint8Array, start: number, end: number): number {
  const isNegative = bytes[start] === MINUS
  let value = 0
  for (let at = isNegative ? start + 1 : start; at < end; at++) {
    const digit = bytes[at] as number
    if (digit < ZERO || digit > NINE) break
    value = Math.min(value * 10 + (digit - ZERO), OFFSET_MAX)
  }
  return isNegative && value > 0 ? OFFSET_MAX : value
}
