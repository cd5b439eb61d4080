/** All that is played with one stock daemon: the corpus first, then sequences out of seeds. */
import { type Difference, describe } from './compare.ts'
import { Contest } from './contest.ts'
import { corpusFor, keep } from './corpus.ts'
import { Generator as SequenceGenerator } from './generator.ts'
import { type Rival, rivals } from './rivals.ts'
import { lineOf, type Step } from './step.ts'
import { Tally } from './tally.ts'

/** Differences may explain so many replies. */
const MOST_EXCUSED = 0.01
const MOST_EVENTS_EXCUSED = 0.08
/** Who differs that often is not looked at any further. */
const MOST_FAILURES = 8

/** Who has not become that small is not worth to be read from its beginning. */
const MOST_LINES = 60

export interface Orders {
  /** Of the first sequence; the next one has the next seed. */
  readonly seed: number
  /** Steps of a sequence. */
  readonly length: number
  /** Steps of all sequences. */
  readonly operations: number
  readonly seconds: number
  /** So many pairs of daemons play at the same time. */
  readonly parallel: number
  /** What is found goes into the corpus. */
  readonly keeps: boolean
}

interface Named {
  readonly name: string
  readonly steps: readonly Step[]
}

export class Campaign {
  readonly #against: Rival
  readonly #orders: Orders
  readonly #print: (text: string) => void
  readonly #tally = new Tally()
  passed = 0
  failed = 0

  constructor(against: Rival, orders: Orders, print: (text: string) => void) {
    this.#against = against
    this.#orders = orders
    this.#print = print
  }

  async run(): Promise<void> {
    const { seed, length, operations, seconds, parallel } = this.#orders
    const begun = performance.now()
    const { profile } = rivals[this.#against]
    const corpus = corpusFor(this.#against)
    await this.#play(corpus.values(), 1)
    this.#print(`${this.#against}: ${corpus.length} sequences of the corpus`)
    this.#tally.steps = 0
    let next = seed
    const campaign = this
    function* seeds(): Generator<Named> {
      const earlier = campaign.failed
      for (let planned = 0; planned < operations; planned += length) {
        if (performance.now() - begun > seconds * 1000) return
        if (campaign.failed - earlier >= MOST_FAILURES) return
        const name = `seed-${next}`
        if (planned > 0 && planned % (100 * length) === 0)
          campaign.#print(`  ${planned} operations`)
        yield { name, steps: new SequenceGenerator(next++, profile).sequence(length) }
      }
    }
    await this.#play(seeds(), parallel)
    const { shareExcused, shareOfEventsExcused } = this.#tally
    if (shareExcused > MOST_EXCUSED || shareOfEventsExcused > MOST_EVENTS_EXCUSED) this.failed++
    const wall = ((performance.now() - begun) / 1000).toFixed(1)
    this.#print(`\n${this.#against}: seeds ${seed} to ${next - 1}, ${length} steps each`)
    this.#print(`${this.#tally.steps} operations, wall time ${wall} s`)
    this.#print(`${this.#tally}\n`)
  }

  /** Several contests take sequences from where they come from, until none is left. */
  async #play(sequences: Iterator<Named>, parallel: number): Promise<void> {
    const compete = async (): Promise<void> => {
      const { startOurs, start } = rivals[this.#against]
      const contest = new Contest(this.#against, startOurs, start, this.#tally)
      try {
        for (let next = sequences.next(); !next.done; next = sequences.next()) {
          const differences = await contest.play(next.value.steps)
          if (differences.length === 0) this.passed++
          else await this.#report(contest, next.value, differences)
        }
      } finally {
        await contest.stop()
      }
    }
    await Promise.all(Array.from({ length: parallel }, compete))
  }

  /** Makes a sequence small in which something differs, and prints it. */
  async #report(contest: Contest, named: Named, found: readonly Difference[]): Promise<void> {
    this.failed++
    const [first] = found
    if (first !== undefined) this.#print(describe(first, named.steps, this.#against))
    const { steps, differences } = await contest.shrink(named.steps, found)
    const said = differences.map((difference) => describe(difference, steps, this.#against))
    const lines = steps.slice(-MOST_LINES).map((step) => `  ${lineOf(step)}`)
    if (steps.length > lines.length) lines.unshift(`  … ${steps.length - lines.length} steps …`)
    this.#print([`\n${named.name}:`, ...lines, ...said].join('\n'))
    // A way to stop a daemon that others run is not written down.
    if (!this.#orders.keeps || differences.some(({ on }) => on === 'the daemon')) return
    const about = said[0] ?? named.name
    keep(`found-${this.#against}-${named.name}`, { about, against: [this.#against], steps })
  }
}
