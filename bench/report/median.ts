/** Middle, smallest and largest of a row of figures. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function spreadOf(figures: readonly number[]): Spread {
  const sorted = [...figures].sort((a, b) => a - b)
  const middle = sorted[Math.floor(sorted.length / 2)]
  const min = sorted[0]
  const max = sorted[sorted.length - 1]
  if (middle === undefined || min === undefined || max === undefined) {
    throw new Error('a spread needs at least one figure')
  }
  return { median: middle, min, max }
}
