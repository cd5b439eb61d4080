import type { Comparison } from './compare.ts'
import { Coverage } from './coverage.ts'

/** What contests with one daemon add up to. */
export class Tally {
  readonly coverage = new Coverage()
  /** By name of the excuse. */
  readonly excused = new Map<string, number>()
  steps = 0
  replies = 0
  events = 0
  /** How often a daemon did not answer any more, or had ended, and was started again. */
  restarts = 0

  add({ replies, events, excused }: Comparison, steps: number): void {
    this.steps += steps
    this.replies += replies
    this.events += events
    for (const [name, count] of excused) {
      this.excused.set(name, (this.excused.get(name) ?? 0) + count)
    }
  }

  /** Of the replies, how many are excused: from 0 to 1. */
  get shareExcused(): number {
    let excused = 0
    for (const count of this.excused.values()) excused += count
    return this.replies === 0 ? 0 : excused / this.replies
  }

  toString(): string {
    const names = [...this.excused.keys()].sort()
    return [
      this.coverage.toString(),
      `${this.replies} replies and ${this.events} events compared, ${this.restarts} restarts`,
      ...names.map((name) => `  excused as ${name}: ${this.excused.get(name)}`),
      `  excused altogether: ${(this.shareExcused * 100).toFixed(3)} % of the replies`,
    ].join('\n')
  }
}
