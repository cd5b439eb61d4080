/** Time as the daemon sees it; tests have their own. */
export interface Timers {
  /** Calls once after so many milliseconds. Does not keep the process alive. @returns cancels it */
  after(ms: number, call: () => void): () => void
}

/** Time as it passes. */
export const systemTimers: Timers = {
  after(ms, call) {
    const timer = setTimeout(call, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
