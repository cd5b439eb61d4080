/**
 * Differences to oxenstored that are none: each has a name, and a reason in docs/differences.md. They need to
 * know what others have done meanwhile; nothing that a client does alone is excused.
 */
import { History } from './history.ts'
import { absolute } from './paths.ts'
import type { Step } from './step.ts'
import type { Heard, Transcript } from './transcript.ts'
import { mayBeRead } from './values.ts'

/** Two transcripts in which what is excused is the same, and how often that was so, by name. */
export interface Excused {
  readonly ours: Transcript
  readonly theirs: Transcript
  readonly replies: ReadonlyMap<string, number>
  readonly events: ReadonlyMap<string, number>
}

/** Makes what is excused the same on both sides: their word counts. */
export function excuseBesideOxenstored(
  steps: readonly Step[],
  ours: Transcript,
  theirs: Transcript,
): Excused {
  const excusing = new Excusing(steps, ours, theirs)
  excusing.excuseReplies()
  excusing.excuseStore()
  for (const on of ours.connections) excusing.excuseEventsOn(on)
  const { dropped, replies, events } = excusing
  return { ours: ours.without(dropped), theirs: theirs.without(dropped), replies, events }
}

class Excusing {
  readonly replies = new Map<string, number>()
  readonly events = new Map<string, number>()
  readonly dropped = new Set<Heard>()
  readonly #steps: readonly Step[]
  readonly #ours: Transcript
  readonly #theirs: Transcript
  readonly #history: History
  /** Labels of transactions that lixs alone has refused. */
  readonly #refused = new Set<string>()

  constructor(steps: readonly Step[], ours: Transcript, theirs: Transcript) {
    this.#steps = steps
    this.#ours = ours
    this.#theirs = theirs
    this.#history = new History(steps, ours)
  }

  excuseReplies(): void {
    for (const [at, told] of this.#ours.repeated) {
      const label = this.#history.labelOf(at)
      const isAlone = !this.#theirs.repeated.has(at) && label !== undefined
      if (!isAlone || !this.#history.isInterferedWith(label, at)) continue
      this.#refused.add(label)
      this.#ours.repeated.delete(at)
      add(this.replies, 'refused-by-lixs', told.length)
    }
    for (const [at, our] of this.#ours.replies) {
      const their = this.#theirs.replies.get(at)
      if (their === undefined || our.text === their.text) continue
      const name = this.#reasonFor(at, our.text, their.text)
      if (name === undefined) continue
      add(this.replies, name)
      our.text = their.text
    }
  }

  /** A store line is a path, its permissions and its value. */
  excuseStore(): void {
    const { store } = this.#ours
    this.#ours.store = store.map((line, i) => {
      const their = this.#theirs.store[i]
      const isSame = their !== undefined && this.#isWithoutTheDead(this.#steps.length, line, their)
      if (isSame) add(this.replies, 'entries-of-the-dead')
      return isSame ? their : line
    })
  }

  /** Events are compared between two replies. */
  excuseEventsOn(on: string): void {
    const [ours, theirs] = [gapsOf(this.#ours.heardOn(on)), gapsOf(this.#theirs.heardOn(on))]
    for (const [i, our] of ours.entries()) {
      const their = theirs[i]
      if (their === undefined || their.next !== our.next) return
      const since = ours[i - 1]?.next ?? 0
      const until = our.next < 0 ? this.#steps.length - 1 : our.next
      for (const event of missing(our.events, their.events)) {
        const path = absolute(on, event.text)
        if (this.#history.isOfTheDead(path, since, until)) this.#drop(event, 'death-without-events')
        else if (this.#history.isRemovedInTransaction(path, since, until)) {
          this.#drop(event, 'removed-in-transaction')
        }
      }
      for (const event of missing(their.events, our.events)) {
        const path = absolute(on, event.text)
        if (this.#history.isRemoved(path, since, until)) this.#drop(event, 'removed-above')
      }
      this.#reorder(on, our.events, their.events, since, until)
    }
  }

  /** What one removal tells may be told in another order. */
  #reorder(
    on: string,
    our: readonly Heard[],
    their: readonly Heard[],
    since: number,
    until: number,
  ): void {
    const [ours, theirs] = [our, their].map((events) =>
      events.filter((one) => !this.dropped.has(one)),
    )
    if (ours?.length !== theirs?.length || ours === undefined || theirs === undefined) return
    if (missing(ours, theirs).length > 0) return
    const moved = ours.flatMap((event, i) => {
      const other = theirs[i]
      return other === undefined || other.text === event.text ? [] : [{ event, text: other.text }]
    })
    const isOfRemoval = moved.every(({ event, text }) =>
      this.#history.isRemovedWith(absolute(on, event.text), absolute(on, text), since, until),
    )
    if (!isOfRemoval || moved.length === 0) return
    for (const { event, text } of moved) event.text = text
    add(this.events, 'order-of-removal', moved.length)
  }

  #drop(event: Heard, name: string): void {
    this.dropped.add(event)
    add(this.events, name)
  }

  #reasonFor(at: number, our: string, their: string): string | undefined {
    const step = this.#steps[at]
    if (step?.kind !== 'send') return undefined
    if (!mayBeRead(this.#steps, step.on, step.payload, our)) return undefined
    const isMalformed = our === 'ERROR EINVAL|' || their === 'ERROR EINVAL|'
    const label = this.#history.labelOf(at)
    if (label !== undefined && !isMalformed) {
      if (this.#refused.has(label)) return 'refused-by-lixs'
      const path = absolute(step.on, step.payload)
      if (this.#history.isChangedByOthers(label, path, at)) return 'snapshot'
    }
    return step.op === 'GET_PERMS' && this.#isWithoutTheDead(at, our, their)
      ? 'entries-of-the-dead'
      : undefined
  }

  /** Is all that is more in our text a permission of a domain that ended before? */
  #isWithoutTheDead(at: number, our: string, their: string): boolean {
    if (our === their) return false
    const rest = their.split('|')
    for (const part of our.split('|')) {
      if (part === rest[0]) rest.shift()
      else if (!/^[nrwb]\d+$/.test(part) || !this.#history.hasEnded(Number(part.slice(1)), at)) {
        return false
      }
    }
    return rest.length === 0
  }
}

interface Gap {
  readonly events: Heard[]
  /** The reply behind them; -1: none. */
  readonly next: number
}

function gapsOf(stream: readonly Heard[]): readonly Gap[] {
  const gaps: Gap[] = []
  let events: Heard[] = []
  for (const heard of stream) {
    if (heard.step < 0) {
      events.push(heard)
      continue
    }
    gaps.push({ events, next: heard.step })
    events = []
  }
  return [...gaps, { events, next: -1 }]
}

/** Events that the others do not have, as often as they are too many. */
function missing(events: readonly Heard[], others: readonly Heard[]): readonly Heard[] {
  const left = others.map(({ text }) => text)
  return events.filter(({ text }) => {
    const at = left.indexOf(text)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

function add(counts: Map<string, number>, name: string, by = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + by)
}
