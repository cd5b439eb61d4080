import { performance } from 'node:perf_hooks'
import type { PaceClock } from '../../native/listing-pace.ts'

/** Time as the daemon sees it; tests have their own. Its timers do not keep the process alive. */
export type Timers = PaceClock

/** Time as it passes. The global of the same name would be looked up by each call. */
export const systemTimers: Timers = {
  nowMs: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
