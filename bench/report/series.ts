/**
 * What several rounds of one bench say together, and whether two such series differ by more than chance.
 *
 * ```
 * before:  ──────┤ ┌──┼──┐ ├───────────         median and spread of the baseline
 * now:     ─────────────┤ ┌──┼──┐ ├────         of this run
 *                         ↑ said to differ when the medians are further apart than both spreads explain
 * ```
 */

/** Fewer rounds say nothing about their own spread. */
export const ROUNDS_MIN = 3
/** Of a normal distribution: its standard deviation, by its median absolute deviation. */
const DEVIATION_PER_MAD = 1.4826
/**
 * So many standard deviations of a single round the medians may be apart. A median of six rounds strays half
 * as far as one round; but six rounds may show half of their true spread, and a table has many rows.
 */
const DEVIATIONS = 3

/** Figures of the rounds of one bench, put together. What is recorded as its baseline. */
export interface Series {
  readonly median: number
  /** Median absolute deviation from the median, in the unit of the figures. */
  readonly mad: number
  readonly rounds: number
}

/** What has become of a bench. `change` and `noise` are parts of the baseline: 0.05 is 5 %. */
export interface Comparison {
  readonly verdict: 'worse' | 'better' | 'same'
  /** Above 0: slower, or more. */
  readonly change: number
  /** A change of at most so much is within noise. */
  readonly noise: number
}

/**
 * @param figures one per round, all above 0
 * @throws RangeError when there are fewer than ROUNDS_MIN
 */
export function seriesOf(figures: readonly number[]): Series {
  if (figures.length < ROUNDS_MIN) {
    throw new RangeError(`${figures.length} rounds; a spread needs at least ${ROUNDS_MIN}`)
  }
  const median = medianOf(figures)
  const mad = medianOf(figures.map((figure) => Math.abs(figure - median)))
  return { median, mad, rounds: figures.length }
}

/** The middle one; of an even number the mean of the two middle ones; NaN of none. */
export function medianOf(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] ?? Number.NaN
  if (sorted.length % 2 === 1) return upper
  return ((sorted[half - 1] ?? Number.NaN) + upper) / 2
}

/** Standard deviation of one round, as a part of the median. */
export function deviationOf({ median, mad }: Series): number {
  return (DEVIATION_PER_MAD * mad) / median
}

/**
 * Figures of which less is better, against those of the baseline.
 *
 * @param resolution what one round of work that cannot have changed was seen to stray by, as a part, in the run
 *   that strayed more: rounds that happen to agree do not make a bench finer than its measure
 */
export function compare(now: Series, before: Series, resolution = 0): Comparison {
  const nowDeviation = Math.max(deviationOf(now), resolution)
  const beforeDeviation = Math.max(deviationOf(before), resolution)
  const noise = DEVIATIONS * Math.hypot(nowDeviation, beforeDeviation)
  const change = now.median / before.median - 1
  // Twice as fast and twice as slow are equally far away.
  const distance = Math.abs(Math.log(now.median / before.median))
  if (distance <= noise) return { verdict: 'same', change, noise }
  return { verdict: change > 0 ? 'worse' : 'better', change, noise }
}
