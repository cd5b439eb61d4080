import { EXCUSES } from './excuses.ts'
import { lineOf, type Step, shown } from './step.ts'
import type { Heard, Transcript } from './transcript.ts'

/** The first thing on some connection that two daemons say differently, and nothing excuses. */
export interface Difference {
  /** Where: a connection, or `the store`. */
  readonly on: string
  /** Index of the step at or after which it shows. */
  readonly step: number
  readonly ours: string
  readonly theirs: string
}

export interface Comparison {
  readonly differences: readonly Difference[]
  /** Pairs of replies that were compared. */
  readonly replies: number
  readonly events: number
  /** By name of the excuse. */
  readonly excused: ReadonlyMap<string, number>
}

const NOTHING: Heard = { step: -1, burst: -1, text: 'nothing' }
/** A transaction that their daemon has to do again, and ours has not. */
const REPEATED = 'repeated-transaction'
/** An event that is the same as one that may have been on its way still. */
const COALESCED = 'coalesced'

/** @param against the name of the daemon that ours is compared with */
export function compare(
  steps: readonly Step[],
  against: string,
  ours: Transcript,
  theirs: Transcript,
): Comparison {
  const differences: Difference[] = []
  const excused = new Map<string, number>()
  let replies = 0
  let events = 0
  const excuses = EXCUSES.filter((excuse) => excuse.against.includes(against))
  const count = (name: string): void => {
    excused.set(name, (excused.get(name) ?? 0) + 1)
  }
  const explain = (our: Heard, their: Heard): string | undefined => {
    const step = steps[our.step]
    if (our.step !== their.step || step?.kind !== 'send') return undefined
    const pair = { steps, step, ours: our.text, theirs: their.text }
    return excuses.find((excuse) => excuse.explains(pair))?.name
  }
  for (const on of new Set([...ours.connections, ...theirs.connections])) {
    const left = ours.heardOn(on)
    const right = theirs.heardOn(on)
    let last = 0
    let l = 0
    let r = 0
    while (l < left.length || r < right.length) {
      const our = left[l] ?? NOTHING
      const their = right[r] ?? NOTHING
      if (our.step === their.step && our.text === their.text) {
        if (our.step < 0) events++
        else {
          replies++
          last = our.step
        }
        l++
        r++
        continue
      }
      if (isRepeated(left, l)) {
        l++
        count(COALESCED)
        continue
      }
      if (isRepeated(right, r)) {
        r++
        count(COALESCED)
        continue
      }
      const name = explain(our, their)
      if (name === undefined) {
        const step = Math.max(our.step, their.step, last)
        differences.push({ on, step, ours: said(our), theirs: said(their) })
        break
      }
      count(name)
      replies++
      l++
      r++
    }
  }
  for (const [step, told] of theirs.repeated) {
    if (ours.repeated.has(step)) continue
    excused.set(REPEATED, (excused.get(REPEATED) ?? 0) + told.length)
  }
  for (const step of ours.repeated.keys()) {
    if (theirs.repeated.has(step)) continue
    differences.push({ on: 'transactions', step, ours: 'ERROR EAGAIN|', theirs: 'OK' })
  }
  if (ours.endedAt !== theirs.endedAt) {
    const at = (ended: number): string => (ended < 0 ? 'answers to the end' : `answers no more`)
    const step = Math.max(ours.endedAt, theirs.endedAt)
    differences.push({
      on: 'the daemon',
      step,
      ours: at(ours.endedAt),
      theirs: at(theirs.endedAt),
    })
  }
  const store = ours.store.findIndex((line, i) => line !== theirs.store[i])
  if (differences.length === 0 && (store >= 0 || ours.store.length !== theirs.store.length)) {
    const at = store < 0 ? ours.store.length : store
    const [our = 'nothing', their = 'nothing'] = [ours.store[at], theirs.store[at]]
    differences.push({ on: 'the store', step: steps.length - 1, ours: our, theirs: their })
  }
  differences.sort((one, other) => one.step - other.step)
  return { differences, replies, events, excused }
}

/** Is there the same event already that may not have been read when this one was sent? */
function isRepeated(stream: readonly Heard[], at: number): boolean {
  const event = stream[at]
  if (event === undefined || event.step >= 0 || event.text.startsWith('@')) return false
  for (let i = at - 1; i >= 0; i--) {
    const earlier = stream[i]
    if (earlier === undefined || earlier.burst !== event.burst) return false
    if (earlier.step < 0 && earlier.text === event.text) return true
  }
  return false
}

function said({ step, text }: Heard): string {
  return step < 0 && text !== NOTHING.text ? `EVENT ${text}` : text
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
