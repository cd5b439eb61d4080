import { expect, test } from 'vitest'
import { compare, deviationOf, medianOf, seriesOf } from '../../../bench/report/series.ts'

/** Seven rounds around 100 that stray by one or two. */
const CALM = [98, 99, 99, 100, 101, 101, 102]
/** Seven that stray by ten or twenty. */
const RESTLESS = [80, 90, 90, 100, 110, 110, 120]
const times = (figures: readonly number[], by: number) => figures.map((figure) => figure * by)

test('the middle of a row of figures, however it is ordered', () => {
  expect(medianOf([3, 1, 2])).toBe(2)
  expect(medianOf([4, 1, 3, 2])).toBe(2.5)
})

test('the spread is that of most rounds: one that went astray does not widen it', () => {
  expect(seriesOf(CALM)).toEqual({ median: 100, mad: 1, rounds: 7 })
  expect(seriesOf([...CALM.slice(0, 6), 900])).toEqual({ median: 100, mad: 1, rounds: 7 })
})

test('the deviation is a part of the median, so it is the same in every unit', () => {
  expect(deviationOf(seriesOf(CALM))).toBeCloseTo(0.014826)
  expect(deviationOf(seriesOf(times(CALM, 1000)))).toBeCloseTo(0.014826)
})

test('two rounds say nothing about their spread', () => {
  expect(() => seriesOf([1, 2])).toThrow(RangeError)
})

test('a shift beyond both spreads is told', () => {
  expect(compare(seriesOf(times(CALM, 1.1)), seriesOf(CALM)).verdict).toBe('worse')
  expect(compare(seriesOf(times(CALM, 0.9)), seriesOf(CALM)).verdict).toBe('better')
})

test('a shift within the spreads is not told', () => {
  expect(compare(seriesOf(times(CALM, 1.03)), seriesOf(CALM)).verdict).toBe('same')
  expect(compare(seriesOf(times(CALM, 0.97)), seriesOf(CALM)).verdict).toBe('same')
})

test('the same shift is noise where either run was restless', () => {
  const shifted = times(CALM, 1.1)
  expect(compare(seriesOf(shifted), seriesOf(RESTLESS)).verdict).toBe('same')
  expect(compare(seriesOf(times(RESTLESS, 1.1)), seriesOf(CALM)).verdict).toBe('same')
  expect(compare(seriesOf(times(RESTLESS, 2)), seriesOf(RESTLESS)).verdict).toBe('worse')
})

test('rounds that agree by chance are no finer than the measure', () => {
  const exact = seriesOf([100, 100, 100, 100])
  const shifted = seriesOf([102, 102, 102, 102])
  expect(compare(shifted, exact).verdict).toBe('worse')
  expect(compare(shifted, exact, 0.01).verdict).toBe('same')
  expect(compare(seriesOf([120, 120, 120]), exact, 0.01).verdict).toBe('worse')
})

test('change and noise are parts of the baseline', () => {
  const { change, noise } = compare(seriesOf(times(CALM, 1.1)), seriesOf(CALM))
  expect(change).toBeCloseTo(0.1)
  expect(noise).toBeCloseTo(3 * Math.SQRT2 * 0.014826)
})
