/**
 * Random numbers out of a seed: the same from the same seed, on every machine.
 *
 * xorshift128 (George Marsaglia, Xorshift RNGs, 2003), its words filled from the seed by multiplication
 * with odd constants.
 */
export class Random {
  #x: number
  #y: number
  #z: number
  #w: number

  constructor(seed: number) {
    this.#x = Math.imul(seed | 0, 0x9e3779b1) ^ 0x243f6a88
    this.#y = Math.imul(seed + 1, 0x85ebca77) ^ 0x13198a2e
    this.#z = Math.imul(seed + 2, 0xc2b2ae3d) ^ 0x03707344
    this.#w = Math.imul(seed + 3, 0x27d4eb2f) ^ 0x299f31d0 || 1
    for (let i = 0; i < 16; i++) this.next()
  }

  /** @returns 32 bits */
  next(): number {
    const t = this.#x ^ (this.#x << 11)
    this.#x = this.#y
    this.#y = this.#z
    this.#z = this.#w
    this.#w = this.#w ^ (this.#w >>> 19) ^ t ^ (t >>> 8)
    return this.#w >>> 0
  }

  below(limit: number): number {
    return this.next() % limit
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.next() % times === 0
  }

  /** @param choices at least one */
  of<T>(choices: readonly T[]): T {
    const choice = choices[this.next() % choices.length]
    if (choice === undefined) throw new Error('nothing to choose from')
    return choice
  }
}
