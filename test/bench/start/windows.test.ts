import { describe, expect, test } from 'vitest'
import {
  fastestOf,
  shownWindows,
  slopeOf,
  WINDOW,
  windowsOf,
} from '../../../bench/start/windows.ts'

/** Guest i took `of(i)` ms. */
function series(count: number, of: (index: number) => number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => of(i))
}

describe('windows of guests', () => {
  test('each is called by how many guests there were at its end', () => {
    const windows = windowsOf(series(1000, () => 1))
    expect(windows.map(({ guests }) => guests)).toEqual([200, 400, 600, 800, 1000])
  })

  test('the last one has as many guests as the others, also when they do not come out even', () => {
    const windows = windowsOf(series(WINDOW + 10, (i) => (i < 10 ? 100 : i < WINDOW ? 1 : 2)))
    expect(windows.map(({ guests }) => guests)).toEqual([200, 210])
    // Guests 11 to 210: 190 took 1 ms and 10 took 2 ms, the slow first ten are not among them.
    expect(windows[1]).toEqual({ guests: 210, p50: 1, p99: 2 })
  })

  test('fewer guests than a window are one window', () => {
    expect(windowsOf(series(3, (i) => i + 1))).toEqual([{ guests: 3, p50: 2, p99: 3 }])
  })

  test('percentiles are latencies that somebody had, whatever their order', () => {
    const [window] = windowsOf(series(WINDOW, (i) => WINDOW - i))
    expect(window).toEqual({ guests: WINDOW, p50: 100, p99: 198 })
  })

  test('a guest that was not created has no latency', () => {
    const [window] = windowsOf(series(4, (i) => (i === 0 ? Number.NaN : i)))
    expect(window).toEqual({ guests: 4, p50: 2, p99: 3 })
    expect(windowsOf(series(4, () => Number.NaN))).toEqual([])
  })
})

describe('the slope', () => {
  test('is the last median against the smallest', () => {
    const windows = windowsOf(series(600, (i) => [4, 2, 3][Math.floor(i / WINDOW)] ?? 0))
    expect(slopeOf(windows)).toBe(1.5)
    expect(fastestOf(windows)?.guests).toBe(400)
  })

  test('of no window is no number', () => {
    expect(slopeOf([])).toBeNaN()
  })
})

test('a table shows the windows at 200, 1,000, 5,000 and 10,000 guests, and the last one', () => {
  const shown = (count: number) =>
    shownWindows(windowsOf(series(count, () => 1))).map(({ guests }) => guests)
  expect(shown(10_000)).toEqual([200, 1000, 5000, 10_000])
  expect(shown(1300)).toEqual([200, 1000, 1300])
  expect(shown(60)).toEqual([60])
})
