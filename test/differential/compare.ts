import { EXCUSES, type Excuse } from './excuses.ts'
import { Interference } from './interference.ts'
import { lineOf, type Step, shown } from './step.ts'
import type { Heard, Transcript } from './transcript.ts'
import { mayBeRead } from './values.ts'

/** The first thing on some connection that two daemons say differently, and nothing excuses. */
export interface Difference {
  /** Where: a connection, `the store`, `the daemon`. */
  readonly on: string
  /** Index of the step at or after which it shows. */
  readonly step: number
  readonly ours: string
  readonly theirs: string
}

export interface Comparison {
  /** In the order of the steps. */
  readonly differences: readonly Difference[]
  readonly replies: number
  readonly events: number
  /** By name of the excuse. */
  readonly excusedReplies: ReadonlyMap<string, number>
  readonly excusedEvents: ReadonlyMap<string, number>
}

const NOTHING: Heard = { step: -1, burst: -1, text: 'nothing' }
/** A transaction that their daemon has to do again, and ours has not. */
const REPEATED = 'repeated-transaction'
/** An event that is the same as one that may have been on its way still. */
const COALESCED = 'coalesced'
/** What follows from a RELEASE is told behind its reply. */
const LATE = 'told-behind-release'
/** A guest is told of a child of a node that it may read since the commit that made or changed both. */
const OPENED = 'readable-since-the-commit'

/** @param against the name of the daemon that ours is compared with */
export function compare(
  steps: readonly Step[],
  against: string,
  ours: Transcript,
  theirs: Transcript,
): Comparison {
  const comparing = new Comparing(steps, against, ours, theirs)
  for (const on of new Set([...ours.connections, ...theirs.connections])) comparing.compareOn(on)
  comparing.compareRepetitions()
  comparing.compareEnds()
  if (comparing.differences.length === 0) comparing.compareStores()
  comparing.differences.sort((one, other) => one.step - other.step)
  return comparing
}

class Comparing implements Comparison {
  readonly differences: Difference[] = []
  readonly excusedReplies = new Map<string, number>()
  readonly excusedEvents = new Map<string, number>()
  replies = 0
  events = 0
  readonly #steps: readonly Step[]
  readonly #ours: Transcript
  readonly #theirs: Transcript
  readonly #excuses: readonly Excuse[]
  readonly #interference: Interference

  constructor(steps: readonly Step[], against: string, ours: Transcript, theirs: Transcript) {
    this.#steps = steps
    this.#ours = ours
    this.#theirs = theirs
    this.#excuses = EXCUSES.filter((excuse) => excuse.against.includes(against))
    this.#interference = new Interference(steps, ours, theirs)
  }

  /** Replies and events of one connection, until the first difference that nothing excuses. */
  compareOn(on: string): void {
    const left = this.#ours.heardOn(on)
    const right = this.#theirs.heardOn(on)
    let last = 0
    this.#compareToChanges(on, left)
    for (let l = 0, r = 0; l < left.length || r < right.length; l++, r++) {
      const our = left[l] ?? NOTHING
      const their = right[r] ?? NOTHING
      if (our.step !== their.step || our.text !== their.text) {
        const late = this.#toldLate(left, l, right, r)
        if (late !== undefined) {
          l += late.ours - 1
          r += late.theirs - 1
          last = late.step
          continue
        }
        if (isRepeated(left, l)) {
          r--
          count(this.excusedEvents, COALESCED)
          continue
        }
        if (isRepeated(right, r)) {
          l--
          count(this.excusedEvents, COALESCED)
          continue
        }
        const reordered = this.#reordered(on, left, l, right, r, last)
        if (reordered !== undefined) {
          l += reordered[0] - 1
          r += reordered[1] - 1
          continue
        }
        if (!this.#isExcused(our, their)) {
          const step = Math.max(our.step, their.step, last)
          this.differences.push({ on, step, ours: said(our), theirs: said(their) })
          return
        }
      }
      if (our.step < 0) this.events++
      else {
        this.replies++
        last = our.step
      }
    }
  }

  /** Ours may not say more often that something has changed than it has. */
  #compareToChanges(on: string, stream: readonly Heard[]): void {
    let before = 0
    for (let at = 0; at < stream.length; at++) {
      const events = eventsFrom(stream, at)
      at += events.length
      const next = stream[at]?.step ?? this.#steps.length - 1
      for (const text of twiceIn(events)) {
        const times = events.filter((other) => other === text).length
        if (times <= this.#interference.mostChangesOf(on, text, before, next)) continue
        const ours = `EVENT ${text} ${times} times`
        this.differences.push({ on, step: next, ours, theirs: 'fewer changes' })
      }
      before = next
    }
  }

  /**
   * xenstored may keep a domain that it was told to release until its turn has ended: what follows from
   * that is told behind the reply then, and what comes before it may be in another order.
   * @returns how much on either side, and which RELEASE it is
   */
  #toldLate(
    left: readonly Heard[],
    l: number,
    right: readonly Heard[],
    r: number,
  ): { readonly ours: number; readonly theirs: number; readonly step: number } | undefined {
    const [ours, theirs] = [eventsFrom(left, l), eventsFrom(right, r)]
    const reply = right[r + theirs.length]
    const step = this.#steps[reply?.step ?? -1]
    if (step?.kind !== 'send' || step.op !== 'RELEASE' || reply?.text !== 'RELEASE OK|')
      return undefined
    if (ours.length === 0 || left[l + ours.length]?.step !== reply.step) return undefined
    const ourNext = eventsFrom(left, l + ours.length + 1)
    const theirNext = eventsFrom(right, r + theirs.length + 1)
    const allOurs = coalesced([...eventsBefore(left, l), ...ours, ...ourNext])
    const allTheirs = coalesced([...eventsBefore(right, r), ...theirs, ...theirNext])
    if (allOurs.join('\n') !== allTheirs.join('\n')) return undefined
    count(this.excusedEvents, LATE, ours.length + ourNext.length)
    this.events += ours.length + ourNext.length
    this.replies++
    return {
      ours: ours.length + 1 + ourNext.length,
      theirs: theirs.length + 1 + theirNext.length,
      step: reply.step,
    }
  }

  /**
   * The next events are the same in another order, and all of one death or one commit may be among them.
   * @returns how many on either side
   */
  #reordered(
    on: string,
    left: readonly Heard[],
    l: number,
    right: readonly Heard[],
    r: number,
    last: number,
  ): readonly [number, number] | undefined {
    const [ours, theirs] = [eventsFrom(left, l), eventsFrom(right, r)]
    const next = left[l + ours.length]?.step ?? this.#steps.length - 1
    const cause = this.#interference.manyChanged(last, next)
    if (ours.length === 0) return undefined
    // What was the same so far counts, too: something that is missing now may have come before.
    const allOurs = [...eventsBefore(left, l), ...ours]
    const allTheirs = [...eventsBefore(right, r), ...theirs]
    const mayWait = [waitingBefore(left, l), waitingBefore(right, r)] as const
    if (cause === undefined) {
      const mayMove = [...mayWait[0], ...mayWait[1], ...twiceIn(allOurs), ...twiceIn(allTheirs)]
      if (!isSameBut(new Set(mayMove), allOurs, allTheirs)) return undefined
      count(this.excusedEvents, COALESCED, ours.length)
      this.events += ours.length
      return [ours.length, theirs.length]
    }
    const isOpened = (text: string): boolean =>
      on.startsWith('g') && this.#interference.isParentMade(text, last, next)
    const unheard = allOurs.filter((text) => !allTheirs.includes(text) && !mayWait[1].has(text))
    const untold = allTheirs.filter((text) => !allOurs.includes(text) && !mayWait[0].has(text))
    if (untold.length > 0 || !unheard.every(isOpened)) return undefined
    if (domainsIn(allOurs) !== domainsIn(allTheirs)) return undefined
    if (unheard.length > 0) count(this.excusedEvents, OPENED, unheard.length)
    count(this.excusedEvents, `order-of-${cause}`, ours.length)
    this.events += ours.length
    return [ours.length, theirs.length]
  }

  /** Ours may refuse a transaction only where theirs refuses it, too. */
  compareRepetitions(): void {
    for (const [step, told] of this.#theirs.repeated) {
      if (!this.#ours.repeated.has(step)) count(this.excusedReplies, REPEATED, told.length)
    }
    for (const step of this.#ours.repeated.keys()) {
      if (this.#theirs.repeated.has(step)) continue
      this.differences.push({ on: 'transactions', step, ours: 'ERROR EAGAIN|', theirs: 'OK' })
    }
  }

  compareEnds(): void {
    const [ours, theirs] = [this.#ours.endedAt, this.#theirs.endedAt]
    if (ours === theirs) return
    const how = (ended: number): string => (ended < 0 ? 'answers to the end' : 'answers no more')
    const step = Math.max(ours, theirs)
    this.differences.push({ on: 'the daemon', step, ours: how(ours), theirs: how(theirs) })
  }

  compareStores(): void {
    const [ours, theirs] = [this.#ours.store, this.#theirs.store]
    for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
      const [our = 'nothing', their = 'nothing'] = [ours[i], theirs[i]]
      if (our === their) continue
      const step = this.#steps.length - 1
      this.differences.push({ on: 'the store', step, ours: our, theirs: their })
      return
    }
  }

  #isExcused(our: Heard, their: Heard): boolean {
    const step = this.#steps[our.step]
    if (our.step !== their.step || step?.kind !== 'send') return false
    const isDoomed = this.#interference.isInDoomedTransaction(our.step, step)
    const pair = { step, ours: our.text, theirs: their.text, isDoomed }
    const excuse = this.#excuses.find((excuse) => excuse.explains(pair))
    if (!mayBeRead(this.#steps, step.on, step.payload, our.text)) return false
    if (excuse !== undefined) count(this.excusedReplies, excuse.name)
    return excuse !== undefined
  }
}

/** Adds to a count. */
export function count(counts: Map<string, number>, name: string, by = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + by)
}

/** Is there the same event already that may still have been queued when this one was sent? */
function isRepeated(stream: readonly Heard[], at: number): boolean {
  const event = stream[at]
  return event !== undefined && event.step < 0 && waitingBefore(stream, at).has(event.text)
}

/**
 * Events that may still have been queued when one was sent, but for those about domains, each of which
 * counts. A reply takes along what was queued before it: what came before the last burst of requests was
 * read when this one's began.
 */
function waitingBefore(stream: readonly Heard[], at: number): ReadonlySet<string> {
  const before = stream.findLast(({ step }, i) => i < at && step >= 0)?.burst ?? -1
  const after = stream.find(({ step }, i) => i > at && step >= 0)?.burst ?? -1
  const oldest = before === after ? before - 1 : before
  const waiting = new Set<string>()
  for (let i = at - 1; i >= 0; i--) {
    const earlier = stream[i]
    if (earlier === undefined || (earlier.step >= 0 && earlier.burst < oldest)) break
    if (earlier.step < 0 && !earlier.text.startsWith('@')) waiting.add(earlier.text)
  }
  return waiting
}

/** What the events say that come one behind the other from there on. */
function eventsFrom(stream: readonly Heard[], at: number): string[] {
  const end = stream.findIndex(({ step }, i) => i >= at && step >= 0)
  return stream.slice(at, end < 0 ? undefined : end).map(({ text }) => text)
}

/** What the events say that come one behind the other until there. */
function eventsBefore(stream: readonly Heard[], at: number): string[] {
  const reply = stream.findLastIndex(({ step }, i) => i < at && step >= 0)
  return stream.slice(reply + 1, at).map(({ text }) => text)
}

/** Sorted, and each that may be dropped when the same one waits only once. */
function coalesced(events: readonly string[]): string[] {
  return [...events]
    .sort()
    .filter((text, i, sorted) => text.startsWith('@') || text !== sorted[i - 1])
}

/** Are the others the same, in the same order? Where one that may be dropped stands depends on which of them was. */
function isSameBut(
  mayMove: ReadonlySet<string>,
  ours: readonly string[],
  theirs: readonly string[],
): boolean {
  const [our, their] = [ours, theirs].map((events) => events.filter((text) => !mayMove.has(text)))
  return our?.join('\n') === their?.join('\n')
}

/** What is told of domains: each of these counts. */
function domainsIn(events: readonly string[]): string {
  return events
    .filter((text) => text.startsWith('@'))
    .sort()
    .join('\n')
}

/** Texts that are there more than once, and are not about domains. */
function twiceIn(events: readonly string[]): readonly string[] {
  const twice = events.filter((text, i) => !text.startsWith('@') && events.indexOf(text) < i)
  return [...new Set(twice)]
}

function said({ step, text }: Heard): string {
  return step < 0 && text !== NOTHING.text ? `EVENT ${text}` : text
}

/** What has to stay the same while a sequence is made smaller. */
export function kindOf({ on, step, ours, theirs }: Difference, steps: readonly Step[]): string {
  const at = steps[step]
  const what = at?.kind === 'send' ? at.op : at?.kind
  const where = /^[sg]\d/.test(on) ? on.slice(0, 1) : on
  const isEvent = ours.startsWith('EVENT') || theirs.startsWith('EVENT')
  if (isEvent || !/^[sg]$/.test(where)) return `${where} ${isEvent}`
  const [our, their] = [ours, theirs].map((text) => /^(ERROR \w+|\w+|)/.exec(text)?.[0])
  return `${where} ${what} ${our} ${their}`
}

/** A difference for people. */
export function describe(difference: Difference, steps: readonly Step[], against: string): string {
  const { on, step, ours, theirs } = difference
  const at = steps[step]
  return [
    `${on}, step ${step}${at === undefined ? '' : `: ${lineOf(at)}`}`,
    `  lixs:       ${shown(ours)}`,
    `  ${`${against}:`.padEnd(11)} ${shown(theirs)}`,
  ].join('\n')
}
