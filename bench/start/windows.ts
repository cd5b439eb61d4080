/**
 * Latencies by guest count: the law of this code base is that guest 10,000 costs what guest 1 cost,
 * so what counts is the last window of guests against the fastest one.
 */

/** Guests in a window. */
export const WINDOW = 200
/** Windows that a person is shown, by the count of guests at their end, besides the last one. */
const SHOWN: readonly number[] = [200, 1000, 5000, 10_000]

/** How long it took for the guests of one window, in ms. */
export interface Window {
  /** How many guests there were when its last one was there. */
  readonly guests: number
  readonly p50: number
  readonly p99: number
}

/**
 * Windows side by side; when the guests do not fill the last one, it is the last WINDOW guests, so
 * that no figure stands on a handful.
 *
 * @param ms by guest; NaN where there is none, as for a create that failed
 */
export function windowsOf(ms: Float64Array): Window[] {
  const windows: Window[] = []
  for (let end = WINDOW; end < ms.length; end += WINDOW) add(windows, ms, end)
  add(windows, ms, ms.length)
  return windows
}

/** The last window's median against the smallest; NaN with fewer than two full windows. */
export function slopeOf(windows: readonly Window[]): number {
  const last = windows.at(-1)
  const fastest = fastestOf(windows)
  return last === undefined || fastest === undefined || last.guests < 2 * WINDOW
    ? Number.NaN
    : last.p50 / fastest.p50
}

/** The window with the smallest median. */
export function fastestOf(windows: readonly Window[]): Window | undefined {
  let fastest = windows[0]
  for (const window of windows) {
    if (fastest !== undefined && window.p50 < fastest.p50) fastest = window
  }
  return fastest
}

/** Those that a table shows. */
export function shownWindows(windows: readonly Window[]): Window[] {
  return windows.filter((window, i) => i === windows.length - 1 || SHOWN.includes(window.guests))
}

function add(windows: Window[], ms: Float64Array, end: number): void {
  const values = ms.slice(Math.max(0, end - WINDOW), end).filter((value) => !Number.isNaN(value))
  if (values.length === 0) return
  values.sort()
  windows.push({ guests: end, p50: rank(values, 0.5), p99: rank(values, 0.99) })
}

/** Nearest rank: a latency that somebody really had. */
function rank(sorted: Float64Array, part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
}
