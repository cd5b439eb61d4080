import type { PaceClock } from '../native/listing-pace.ts'

/** Time as consoled sees it; tests bring their own. */
export interface Clock extends PaceClock {
  date(): Date
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  date: () => new Date(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}
