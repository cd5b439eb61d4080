import type { Timers } from '../../lixs/connection/timers.ts'

/** Time that passes when the test says so. */
export class TestTimers implements Timers {
  #nowMs = 0
  readonly #due = new Map<number, { readonly atMs: number; readonly call: () => void }>()
  #last = 0

  nowMs(): number {
    return this.#nowMs
  }

  after(ms: number, call: () => void): () => void {
    const id = ++this.#last
    this.#due.set(id, { atMs: this.#nowMs + ms, call })
    return () => this.#due.delete(id)
  }

  get pending(): number {
    return this.#due.size
  }

  /** Lets time pass; calls what falls due, in order. */
  pass(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const [next] = [...this.#due].sort((a, b) => a[1].atMs - b[1].atMs)
      if (next === undefined || next[1].atMs > untilMs) break
      this.#due.delete(next[0])
      this.#nowMs = next[1].atMs
      next[1].call()
    }
    this.#nowMs = untilMs
  }
}
