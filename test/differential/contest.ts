import { type Comparison, compare, type Difference, kindOf } from './compare.ts'
import { Coverage } from './coverage.ts'
import type { DaemonUnderTest } from './daemon.ts'
import { normalForm } from './normal-form.ts'
import { excuseBesideOxenstored } from './oxenstored-excuses.ts'
import { Player } from './player.ts'
import { shrink } from './shrink.ts'
import type { Step } from './step.ts'
import { Tally } from './tally.ts'
import type { Transcript } from './transcript.ts'

/** Starts a daemon, as often as it is needed. */
export type StartDaemon = () => Promise<DaemonUnderTest>

interface Party {
  readonly daemon: DaemonUnderTest
  readonly player: Player
}

/** lixs and another daemon, to whom the same happens. */
export class Contest {
  /** Name of the other one. */
  readonly against: string
  readonly tally: Tally
  readonly #starts: readonly [StartDaemon, StartDaemon]
  #parties: readonly [Party, Party] | undefined

  /** @param tally to which everything is added that is played */
  constructor(against: string, ours: StartDaemon, theirs: StartDaemon, tally = new Tally()) {
    this.against = against
    this.tally = tally
    this.#starts = [ours, theirs]
  }

  /** Plays a sequence and counts it. @returns what is different */
  async play(steps: readonly Step[]): Promise<readonly Difference[]> {
    const comparison = await this.#judge(steps, this.tally.coverage)
    this.tally.add(comparison, steps.length)
    return comparison.differences
  }

  /**
   * The least of a sequence that still shows a difference of the same kind as the first one, uncounted.
   * A sequence in which nothing differs when it is played again stays as it is.
   */
  async shrink(
    steps: readonly Step[],
    differences: readonly Difference[],
    onProgress: (left: number) => void = () => undefined,
  ): Promise<{ readonly steps: readonly Step[]; readonly differences: readonly Difference[] }> {
    const [first] = differences
    if (first === undefined) return { steps, differences }
    const wanted = kindOf(first, steps)
    let found = differences
    const differs = async (fewer: readonly Step[]): Promise<boolean> => {
      const { differences } = await this.#judge(fewer)
      const isSame = differences.some((difference) => kindOf(difference, fewer) === wanted)
      if (isSame) found = differences
      return isSame
    }
    const until = steps.slice(0, first.step + 1)
    const start = (await differs(until)) ? until : steps
    const least = await shrink(start, differs, onProgress)
    return { steps: least, differences: found }
  }

  /** The least of a sequence in which something is still covered, uncounted. */
  async shrinkToCover(steps: readonly Step[], pair: string): Promise<readonly Step[]> {
    return await shrink(steps, async (fewer) => {
      const coverage = new Coverage()
      const { differences } = await this.#judge(fewer, coverage)
      return differences.length === 0 && coverage.counts.has(pair)
    })
  }

  /** Ends both daemons; the next sequence starts them anew. */
  async stop(): Promise<void> {
    const parties = this.#parties ?? []
    this.#parties = undefined
    for (const { daemon, player } of parties) {
      player.close()
      await daemon.stop()
    }
  }

  async #judge(steps: readonly Step[], coverage?: Coverage): Promise<Comparison> {
    const [our, their] = await this.#ready()
    const [ours, theirs] = await Promise.all([our.player.play(steps), their.player.play(steps)])
    coverage?.add(steps, ours)
    // Who does not answer any more has not been left as it was.
    if (ours.endedAt >= 0 || theirs.endedAt >= 0) {
      this.tally.restarts++
      await this.stop()
    }
    return compareAs(this.against, steps, ours, theirs)
  }

  async #ready(): Promise<readonly [Party, Party]> {
    if (this.#parties !== undefined) return this.#parties
    const party = async (start: StartDaemon): Promise<Party> => {
      const daemon = await start()
      return { daemon, player: await Player.start(daemon) }
    }
    const [ours, theirs] = this.#starts
    this.#parties = [await party(ours), await party(theirs)]
    return this.#parties
  }
}

/** What the rival is not asked to say as we do is the same before anything is compared. */
function compareAs(
  against: string,
  steps: readonly Step[],
  ours: Transcript,
  theirs: Transcript,
): Comparison {
  if (against !== 'oxenstored') return compare(steps, against, ours, theirs)
  const excused = excuseBesideOxenstored(
    steps,
    normalForm(steps, ours, false),
    normalForm(steps, theirs, true),
  )
  const found = compare(steps, against, excused.ours, excused.theirs)
  const { differences, replies, events } = found
  const excusedReplies = sumOf(found.excusedReplies, excused.replies)
  const excusedEvents = sumOf(found.excusedEvents, excused.events)
  return { differences, replies, events, excusedReplies, excusedEvents }
}

function sumOf(
  one: ReadonlyMap<string, number>,
  other: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const sum = new Map(one)
  for (const [name, times] of other) sum.set(name, (sum.get(name) ?? 0) + times)
  return sum
}
