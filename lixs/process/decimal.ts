const ZERO = 0x30

/**
 * Writes a number in decimal, without a string in between.
 *
 * @param value an integer, 0 … 2^53
 * @returns index behind the last digit
 */
export function writeDecimal(into: Uint8Array, at: number, value: number): number {
  let digits = 1
  for (let rest = Math.floor(value / 10); rest > 0; rest = Math.floor(rest / 10)) digits++
  let rest = value
  for (let i = at + digits - 1; i >= at; i--) {
    into[i] = ZERO + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return at + digits
}
