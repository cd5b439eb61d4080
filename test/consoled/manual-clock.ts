import type { Clock } from '../../consoled/clock.ts'

interface Timer {
  readonly dueMs: number
  readonly run: () => void
}

/** Time that passes when the test says so. */
export class ManualClock implements Clock {
  #nowMs = 0
  #timers: Timer[] = []

  /** How many are set. */
  get timers(): number {
    return this.#timers.length
  }

  nowMs(): number {
    return this.#nowMs
  }

  date(): Date {
    return new Date(2026, 0, 1, 0, 0, 0, this.#nowMs)
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** Time goes by inside of the code under test: no timer runs. */
  spend(ms: number): void {
    this.#nowMs += ms
  }

  /** Time goes by; timers run when they are due. */
  advance(ms: number): void {
    const end = this.#nowMs + ms
    for (;;) {
      const [next] = this.#timers.toSorted((a, b) => a.dueMs - b.dueMs)
      if (next === undefined || next.dueMs > end) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.run()
    }
    this.#nowMs = Math.max(this.#nowMs, end)
  }
}
