import { absolute, isAtOrBelow, isRelated } from './paths.ts'
import type { SendStep, Step } from './step.ts'
import type { Transcript } from './transcript.ts'
import { homeOf } from './vocabulary.ts'

/** Directories that are always there. Homes go with their domains, and are made on the way. */
const STAGE = /^\/(open|closed|mixed|own|deep(\/\d)*)?$/
const CHANGING: ReadonlySet<string | number> = new Set(['WRITE', 'MKDIR', 'RM', 'SET_PERMS'])

/** Something that everybody sees from some step on. */
interface Change {
  readonly at: number
  /** Of the transaction that was committed; undefined: none. */
  readonly label: string | undefined
  /** What was done, one after the other; none: a domain has ended. */
  readonly steps: readonly SendStep[]
  /** Of the domain that has ended. */
  readonly domid?: number
}

/** What was done by whom and when, and came to something. */
export class History {
  readonly #steps: readonly Step[]
  readonly #changes: Change[] = []
  /** Index of the step that started it, by label. */
  readonly #starts = new Map<string, number>()
  /** What was done in a transaction, by label. */
  readonly #within = new Map<string, SendStep[]>()

  constructor(steps: readonly Step[], transcript: Transcript) {
    this.#steps = steps
    for (const [at, step] of steps.entries()) {
      if (step.kind === 'destroy')
        this.#changes.push({ at, label: undefined, steps: [], domid: step.domid })
      else if (step.kind === 'send') this.#note(at, step, transcript.replies.get(at)?.text)
    }
  }

  /** Of the transaction that a step is part of. */
  labelOf(at: number): string | undefined {
    const step = this.#steps[at]
    return step?.kind === 'send' && typeof step.tx === 'string' ? step.tx : undefined
  }

  /** Was something else changed that has to do with a path that a transaction has named? */
  isInterferedWith(label: string, end: number): boolean {
    const since = this.#since(label, end)
    return this.#steps.some((step, at) => {
      if (step.kind !== 'send' || step.tx !== label || at >= end) return false
      const path = absolute(step.on, step.payload)
      return since.some(
        ({ steps, domid }) =>
          domid !== undefined ||
          steps.some((other) => isAkin(path, absolute(other.on, other.payload))),
      )
    })
  }

  /** Has something changed at, above or below a path since a transaction began, but by itself? */
  isChangedByOthers(label: string, path: string, until: number): boolean {
    return this.#since(label, until).some(
      ({ steps, domid }) =>
        domid !== undefined ||
        steps.some((step) => {
          const changed = absolute(step.on, step.payload)
          return isRelated(path, changed)
        }),
    )
  }

  /** Was a domain of that number destroyed, or released, before? */
  hasEnded(domid: number, before: number): boolean {
    return this.#changes.some((change) => change.domid === domid && change.at < before)
  }

  /**
   * Has a domain ended between two steps that owned a node, or may have: below its home, or below what was
   * given to it?
   */
  isOfTheDead(path: string, since: number, until: number): boolean {
    return this.#between(since, until).some(({ at, domid }) => {
      if (domid === undefined) return false
      return isAtOrBelow(path, homeOf(domid)) || this.#isGivenTo(domid, path, at)
    })
  }

  /** Was something above a path removed between two steps, or it by a transaction that had made it? */
  isRemoved(path: string, since: number, until: number): boolean {
    return this.#between(since, until).some(({ steps, label }) =>
      steps.some((step) => {
        const removed = absolute(step.on, step.payload)
        const isAbove = isAtOrBelow(path, removed) && (path !== removed || label !== undefined)
        return step.op === 'RM' && isAbove
      }),
    )
  }

  /** Was something above a path removed between two steps, in a transaction? */
  isRemovedInTransaction(path: string, since: number, until: number): boolean {
    return this.#between(since, until).some(({ steps, label }) =>
      steps.some((step) => {
        const removed = absolute(step.on, step.payload)
        return (
          label !== undefined && step.op === 'RM' && path !== removed && isAtOrBelow(path, removed)
        )
      }),
    )
  }

  /** Are both paths at or below the same one, which was removed between two steps? */
  isRemovedWith(path: string, other: string, since: number, until: number): boolean {
    return this.#between(since, until).some(({ steps }) =>
      steps.some((step) => {
        const removed = absolute(step.on, step.payload)
        return step.op === 'RM' && isAtOrBelow(path, removed) && isAtOrBelow(other, removed)
      }),
    )
  }

  #isGivenTo(domid: number, path: string, until: number): boolean {
    return this.#steps.some((step, at) => {
      if (at > until || step.kind !== 'send' || step.op !== 'SET_PERMS') return false
      const [, owner = ''] = step.payload.split('|')
      return owner.slice(1) === String(domid) && isAtOrBelow(path, absolute(step.on, step.payload))
    })
  }

  #between(since: number, until: number): readonly Change[] {
    return this.#changes.filter(({ at }) => at >= since && at <= until)
  }

  #since(label: string, until: number): readonly Change[] {
    const start = this.#starts.get(label) ?? until
    return this.#between(start, until).filter((change) => change.label !== label)
  }

  #note(at: number, step: SendStep, text: string | undefined): void {
    const { op, tx, as } = step
    if (as !== undefined) {
      this.#starts.set(as, at)
      this.#within.set(as, [])
    }
    const label = typeof tx === 'string' ? tx : undefined
    if (text !== `${op} OK|`) return
    if (CHANGING.has(op) && label !== undefined) this.#within.get(label)?.push(step)
    else if (CHANGING.has(op)) this.#changes.push({ at, label, steps: [step] })
    else if (op === 'TRANSACTION_END' && step.payload === 'T|' && label !== undefined) {
      this.#changes.push({ at, label, steps: this.#within.get(label) ?? [] })
    } else if (op === 'RELEASE') {
      this.#changes.push({
        at,
        label: undefined,
        steps: [],
        domid: Number.parseInt(step.payload, 10),
      })
    }
  }
}

/** Is one path at or below the other, or are both below what one of them may have made on its way? */
function isAkin(one: string, other: string): boolean {
  if (isRelated(one, other)) return true
  const names = one.split('/')
  const count = other.split('/').findIndex((name, i) => name !== names[i])
  return !STAGE.test(names.slice(0, count).join('/') || '/')
}
