/**
 * Work that is always the same: what a bench is divided by, so that the machine's speed, and what others do on
 * it meanwhile, cancel out.
 *
 * It is what the hot modules do: integer arithmetic, and dependent steps through a table that the second cache
 * holds: what others do to the outer ones is not in it. Whoever changes it makes every recorded baseline void.
 */
const WORDS = 2 ** 14
const STEPS = 4000

/** One cycle through all of the table, in an order that no prefetcher guesses. */
const TABLE = cycle()
let at = 0

/** Some tens of microseconds. @returns what nobody can leave out because nobody reads it */
export function calibrate(): number {
  let hash = 0x811c9dc5
  let word = at
  for (let i = 0; i < STEPS; i++) {
    word = TABLE[word] as number
    for (let byte = word; byte !== 0; byte >>>= 8) {
      hash = Math.imul(hash ^ (byte & 0xff), 0x01000193)
    }
  }
  at = word
  return hash
}

function cycle(): Int32Array {
  const order = Int32Array.from({ length: WORDS }, (_, i) => i)
  let seed = 42
  for (let i = WORDS - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    const other = seed % (i + 1)
    const word = order[i] as number
    order[i] = order[other] as number
    order[other] = word
  }
  const table = new Int32Array(WORDS)
  for (let i = 0; i < WORDS; i++) {
    table[order[i] as number] = order[(i + 1) % WORDS] as number
  }
  return table
}
