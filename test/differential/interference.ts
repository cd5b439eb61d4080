import type { Step } from './step.ts'
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
   * something since it was started?
   */
  isInDoomedTransaction(at: number): boolean {
    const label = this.#labelOf(at)
    if (label === undefined || this.#committed.has(label)) return false
    for (let i = this.#starts.get(label) ?? at; i < at; i++) {
      const step = this.#steps[i]
      if (step?.kind === 'destroy') return true
      const isElse = this.#labelOf(i) !== label
      if (isElse && CHANGES.test(this.#ours.replies.get(i)?.text ?? '')) return true
    }
    return false
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

  #labelOf(at: number): string | undefined {
    const step = this.#steps[at]
    return step?.kind === 'send' && typeof step.tx === 'string' ? step.tx : undefined
  }
}
