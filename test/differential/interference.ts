import { absolute, isAtOrBelow, isRelated } from './paths.ts'
import type { SendStep, Step } from './step.ts'
import type { Transcript } from './transcript.ts'

/** Successful requests that change what others see. */
const CHANGES = /^(WRITE|MKDIR|RM|SET_PERMS|TRANSACTION_END|RELEASE) OK/

/** Which transactions were interfered with, and came to nothing. */
export class Interference {
  readonly #steps: readonly Step[]
  readonly #ours: Transcript
  /** Index of the step that started it, by label. */
  readonly #starts = new Map<string, number>()
  readonly #committed = new Set<string>()

  constructor(steps: readonly Step[], ours: Transcript, theirs: Transcript) {
    this.#steps = steps
    this.#ours = ours
    for (const [i, step] of steps.entries()) {
      if (step.kind !== 'send') continue
      if (step.as !== undefined) this.#starts.set(step.as, i)
      const isCommit = step.op === 'TRANSACTION_END' && step.payload === 'T|'
      if (!isCommit || typeof step.tx !== 'string') continue
      for (const { replies } of [ours, theirs]) {
        if (replies.get(i)?.text === 'TRANSACTION_END OK|') this.#committed.add(step.tx)
      }
    }
  }

  /**
   * Is the step in a transaction that neither daemon has committed, and has somebody else changed
   * something at, above or below its path since the transaction was started?
   */
  isInDoomedTransaction(at: number, { on, payload }: SendStep): boolean {
    const label = this.#labelOf(at)
    if (label === undefined || this.#committed.has(label)) return false
    const path = absolute(on, payload)
    for (let i = this.#starts.get(label) ?? at; i < at; i++) {
      if (this.#steps[i]?.kind === 'destroy') return true
      if (this.#labelOf(i) === label && this.#steps[i]?.kind === 'send') continue
      if (this.#changedBy(i).some((changed) => isRelated(changed, path))) return true
    }
    return false
  }

  /** Paths that a step has changed for everybody; a commit changes what its transaction has. */
  #changedBy(at: number): readonly string[] {
    const step = this.#steps[at]
    const text = this.#ours.replies.get(at)?.text ?? ''
    if (step?.kind !== 'send' || !CHANGES.test(text)) return []
    const label = this.#labelOf(at)
    if (label === undefined) return [absolute(step.on, step.payload)]
    if (step.op !== 'TRANSACTION_END') return []
    return this.#steps.flatMap((other, i) => {
      const isOfIt = other.kind === 'send' && other.tx === label && i < at
      return isOfIt && other.op !== 'READ' ? [absolute(other.on, other.payload)] : []
    })
  }

  /**
   * What has changed many nodes at once after one step and until another, if anything has: the death of
   * a domain, or a commit.
   */
  manyChanged(after: number, until: number): 'death' | 'commit' | undefined {
    let found: 'commit' | undefined
    for (let i = Math.max(after, 0); i <= until; i++) {
      const text = this.#ours.replies.get(i)?.text
      if (this.#steps[i]?.kind === 'destroy' || text === 'RELEASE OK|') return 'death'
      if (text === 'TRANSACTION_END OK|') found = 'commit'
    }
    return found
  }

  /**
   * How often may a client have been told of the path of an event because of the steps from one to another,
   * both included? Each of his watches with that token tells of each change. A domain that goes takes as
   * many nodes along as it has.
   */
  mostChangesOf(on: string, event: string, from: number, to: number): number {
    const [, token = ''] = event.split('|')
    const told = absolute(on, event)
    let changes = 0
    for (let i = from; i <= to; i++) {
      const step = this.#steps[i]
      const text = this.#ours.replies.get(i)?.text ?? ''
      const isEnd = step?.kind !== 'send' && step?.kind !== 'open' && step?.kind !== 'close'
      if (isEnd || text === 'RELEASE OK|') return Number.POSITIVE_INFINITY
      changes += this.#changedBy(i).filter((changed) => isRelated(changed, told)).length
    }
    const begun = this.#watchesOf(on, token).filter((at) => at <= to)
    return changes * begun.length + begun.filter((at) => at >= from).length
  }

  /** Steps with which a client has begun to watch with this token. */
  #watchesOf(on: string, token: string): readonly number[] {
    return this.#steps.flatMap((step, i) => {
      const isWatch = step.kind === 'send' && step.on === on && step.op === 'WATCH'
      return isWatch && step.payload.endsWith(`|${token}|`) ? [i] : []
    })
  }

  /**
   * Has a transaction that was committed after one step and until another made the parent of what an
   * event tells, or changed its permissions?
   */
  isParentMade(event: string, after: number, until: number): boolean {
    const [path = ''] = event.split('|')
    const parent = path.slice(0, path.lastIndexOf('/'))
    for (let i = Math.max(after, 0); i <= until; i++) {
      const label = this.#labelOf(i)
      if (this.#ours.replies.get(i)?.text !== 'TRANSACTION_END OK|' || label === undefined) continue
      const hasMade = this.#steps.some((step, at) => {
        if (step.kind !== 'send' || step.tx !== label || at > i) return false
        const named = absolute(step.on, step.payload)
        // What is made below it makes it on the way.
        const makes = step.op === 'WRITE' || step.op === 'MKDIR'
        return makes ? isAtOrBelow(named, parent) : step.op === 'SET_PERMS' && named === parent
      })
      if (hasMade) return true
    }
    return false
  }

  #labelOf(at: number): string | undefined {
    const step = this.#steps[at]
    return step?.kind === 'send' && typeof step.tx === 'string' ? step.tx : undefined
  }
}
