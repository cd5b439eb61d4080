import type { StateMemory } from '../state-memory.ts'

/**
 * How often a value fell between bounds that are given once: a look at a few numbers and one
 * addition per observation.
 */
export class Histogram {
  /** Ascending; a value belongs to the first that it does not exceed, or to none. */
  readonly bounds: readonly number[]
  /** Per bound, then what exceeds all of them, then the sum of the values. */
  readonly #values: Float64Array

  constructor(memory: StateMemory, name: string, bounds: readonly number[]) {
    this.bounds = bounds
    this.#values = memory.float64(name, bounds.length + 2)
  }

  /** @param times as if so many observations had the same value */
  observe(value: number, times: number): void {
    let at = 0
    while (at < this.bounds.length && value > (this.bounds[at] as number)) at++
    const sum = this.bounds.length + 1
    this.#values[at] = (this.#values[at] as number) + times
    this.#values[sum] = (this.#values[sum] as number) + value * times
  }

  /** How many observations did not exceed each bound, and then how many there were at all. */
  cumulated(): readonly number[] {
    let count = 0
    return Array.from({ length: this.bounds.length + 1 }, (_, at) => {
      count += this.#values[at] as number
      return count
    })
  }

  get sum(): number {
    return this.#values[this.bounds.length + 1] as number
  }
}
