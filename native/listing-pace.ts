/** Time, as far as a pace needs it. */
export interface PaceClock {
  /** Milliseconds from any fixed point, never going back. */
  nowMs(): number
  /** Runs once after that time. @returns takes it back */
  after(delayMs: number, run: () => void): () => void
}

/** At most 20 listings a second, … */
const INTERVAL_MS = 50
/** … and at most a tenth of the time spent on them, … */
const REST_PER_WORK = 9
/** … but soon: one that took seconds did not work so long, its process was kept waiting. */
const MAX_REST_MS = 1000
/** Those that can wait: a two-hundredth of the time, and within the same. */
const LATE_REST_PER_WORK = 199

/**
 * When the list of all domains is read: at once on the first request, then never more often than 20
 * times a second or for more than a tenth of the time, unless that lets somebody wait for longer than a
 * second. The last request is never lost: a listing always begins after it.
 *
 * Xen before 4.21 does not say which domain died, so this is the one cost in a daemon that depends on
 * how many domains there are. What happened has often explained itself (the toolstack said which
 * domain it destroyed) and the listing only makes sure that nothing else hid behind it: such a one
 * waits until it is cheap.
 */
export class ListingPace {
  readonly #clock: PaceClock
  readonly #list: () => void
  #notBeforeMs = Number.NEGATIVE_INFINITY
  #lastEndMs = Number.NEGATIVE_INFINITY
  #lateMs = INTERVAL_MS
  #cancel: (() => void) | undefined
  #dueMs = 0

  constructor(clock: PaceClock, list: () => void) {
    this.#clock = clock
    this.#list = list
  }

  /** Something happened to some domain, and somebody waits to know to which. */
  request(): void {
    this.#requestAt(this.#clock.nowMs())
  }

  /** Nobody waits: at once when the last listing is long past, else when it is. */
  requestCheaply(): void {
    this.#requestAt(this.#lastEndMs + this.#lateMs)
  }

  /** What happened is known; whether nothing else has is seen later. */
  requestLater(): void {
    this.#requestAt(this.#clock.nowMs() + this.#lateMs)
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #requestAt(wantedMs: number): void {
    const now = this.#clock.nowMs()
    const due = Math.max(wantedMs, this.#notBeforeMs)
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

  #run(): void {
    const start = this.#clock.nowMs()
    this.#list()
    const end = this.#clock.nowMs()
    const work = end - start
    const rest = Math.min(work * REST_PER_WORK, MAX_REST_MS)
    this.#notBeforeMs = Math.max(start + INTERVAL_MS, end + rest)
    this.#lastEndMs = end
    this.#lateMs = Math.min(Math.max(INTERVAL_MS, work * LATE_REST_PER_WORK), MAX_REST_MS)
  }
}
