import { type Comparison, count } from './compare.ts'
import { Coverage } from './coverage.ts'

/** What contests with one daemon add up to. */
export class Tally {
  readonly coverage = new Coverage()
  /** By name of the excuse. */
  readonly #excusedReplies = new Map<string, number>()
  readonly #excusedEvents = new Map<string, number>()
  steps = 0
  replies = 0
  events = 0
  /** How often a daemon did not answer any more, or had ended, and was started again. */
  restarts = 0

  add({ replies, events, excusedReplies, excusedEvents }: Comparison, steps: number): void {
    this.steps += steps
    this.replies += replies
    this.events += events
    for (const [name, times] of excusedReplies) count(this.#excusedReplies, name, times)
    for (const [name, times] of excusedEvents) count(this.#excusedEvents, name, times)
  }

  /** Of the replies, how many are excused: from 0 to 1. */
  get shareExcused(): number {
    return this.replies === 0 ? 0 : sumOf(this.#excusedReplies) / this.replies
  }

  /** Of the events, how many are excused. */
  get shareOfEventsExcused(): number {
    return this.events === 0 ? 0 : sumOf(this.#excusedEvents) / this.events
  }

  toString(): string {
    const lines = (what: string, counts: ReadonlyMap<string, number>): string[] =>
      [...counts].sort().map(([name, times]) => `  ${what} excused as ${name}: ${times}`)
    return [
      this.coverage.toString(),
      `${this.replies} replies and ${this.events} events compared, ${this.restarts} restarts`,
      ...lines('replies', this.#excusedReplies),
      ...lines('events', this.#excusedEvents),
      `  excused altogether: ${(this.shareExcused * 100).toFixed(3)} % of the replies,` +
        ` ${(this.shareOfEventsExcused * 100).toFixed(3)} % of the events`,
    ].join('\n')
  }
}

function sumOf(counts: ReadonlyMap<string, number>): number {
  let sum = 0
  for (const times of counts.values()) sum += times
  return sum
}
