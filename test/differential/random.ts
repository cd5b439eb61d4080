/** Numbers that depend on the seed alone, the same on every machine: mulberry32. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }

  /** From 0 to `below` - 1. */
  below(below: number): number {
    return this.next() % below
  }

  /** True so many times in a thousand. */
  chance(perMille: number): boolean {
    return this.below(1000) < perMille
  }

  /** @throws RangeError when there is nothing to pick from */
  pick<T>(from: readonly T[]): T {
    const picked = from[this.below(from.length)]
    if (picked === undefined) throw new RangeError('nothing to pick from')
    return picked
  }
}

/** Picks keys as often as their weights say. */
export class Wheel<T> {
  readonly #keys: T[] = []
  readonly #ends: number[] = []
  #total = 0

  /** @param weights how often, in relation to each other; 0: never */
  constructor(weights: Iterable<readonly [T, number]>) {
    for (const [key, weight] of weights) {
      if (weight <= 0) continue
      this.#total += weight
      this.#keys.push(key)
      this.#ends.push(this.#total)
    }
  }

  pick(random: Random): T {
    const at = random.below(this.#total)
    const key = this.#keys[this.#ends.findIndex((end) => at < end)]
    if (key === undefined) throw new RangeError('a wheel without weights')
    return key
  }
}
