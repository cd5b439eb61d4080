/** Time as consoled sees it; tests bring their own. */
export interface Clock {
  /** Milliseconds from any fixed point, never going back. */
  nowMs(): number
  date(): Date
  /** Runs once after that time. @returns takes it back */
  after(delayMs: number, run: () => void): () => void
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  date: () => new Date(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}

/** At most 20 scans a second, … */
const INTERVAL_MS = 50
/** … and at most a tenth of the time spent on them. */
const REST_PER_WORK = 9

/**
 * When the list of all domains is read: at once on the first request, then never more often than 20
 * times a second or for more than a tenth of the time. The last request is never lost: a scan always
 * begins after it.
 *
 * Xen before 4.21 does not say which domain died, so this is the one cost in consoled that depends
 * on how many domains there are.
 */
export class ScanPace {
  readonly #clock: Clock
  readonly #scan: () => void
  #notBeforeMs = Number.NEGATIVE_INFINITY
  #cancel: (() => void) | undefined
  #dueMs = 0

  constructor(clock: Clock, scan: () => void) {
    this.#clock = clock
    this.#scan = scan
  }

  /** @param withinMs how long the scan may wait, for others to join it; 0 = as soon as allowed */
  request(withinMs = 0): void {
    const now = this.#clock.nowMs()
    const due = Math.max(now + withinMs, this.#notBeforeMs)
    if (this.#cancel !== undefined) {
      if (this.#dueMs <= due) return
      this.#cancel()
      this.#cancel = undefined
    }
    if (due <= now) {
      this.#run()
      return
    }
    this.#dueMs = due
    this.#cancel = this.#clock.after(due - now, () => {
      this.#cancel = undefined
      this.#run()
    })
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #run(): void {
    const start = this.#clock.nowMs()
    this.#scan()
    const end = this.#clock.nowMs()
    this.#notBeforeMs = Math.max(start + INTERVAL_MS, end + (end - start) * REST_PER_WORK)
  }
}
