/**
 * Searches for a serial order: one after the other, each committed transaction as a whole, such that
 * every answer is the one that the sequential specification gives.
 *
 * The order must be one that could have been: what was answered before something else was asked comes
 * before it (linearizability; Wing and Gong's search, with the states known to be dead ends kept).
 */
import type { Asker, Model, Step } from './model.ts'

/** A single request, or a committed transaction. */
export interface Unit {
  readonly who: Asker
  /** When it was asked, a transaction for its commit, and when it was answered; no two are the same. */
  readonly askedAt: number
  readonly answeredAt: number
  readonly steps: readonly Step[]
}

/** What became of a search. */
export type Verdict =
  | { readonly kind: 'explained'; readonly order: readonly Unit[] }
  | { readonly kind: 'unexplained'; readonly longest: readonly Unit[] }
  | { readonly kind: 'undecided' }

/** So many states are looked at before a search is given up. */
const STATES_MAX = 200_000

export function findSerialOrder(units: readonly Unit[], start: Model): Verdict {
  const search = new Search(units)
  if (search.extend(start)) return { kind: 'explained', order: search.order }
  if (search.states > STATES_MAX) return { kind: 'undecided' }
  return { kind: 'unexplained', longest: search.longest }
}

class Search {
  readonly order: Unit[] = []
  /** The longest beginning that explains everything in it. */
  longest: readonly Unit[] = []
  states = 0
  readonly #units: readonly Unit[]
  readonly #isDone: boolean[]
  readonly #deadEnds = new Set<string>()

  constructor(units: readonly Unit[]) {
    this.#units = [...units].sort((a, b) => a.askedAt - b.askedAt)
    this.#isDone = this.#units.map(() => false)
  }

  /** @returns true: `order` is complete */
  extend(state: Model): boolean {
    if (this.order.length === this.#units.length) return true
    if (++this.states > STATES_MAX) return false
    const candidates = this.#candidates()
    const place = this.#isDone.map(Number).join('')
    const key = candidates.length > 1 ? `${place}\n${state.fingerprint()}` : undefined
    if (key !== undefined && this.#deadEnds.has(key)) return false
    for (const index of candidates) {
      const unit = this.#units[index]
      const next = unit === undefined ? undefined : explained(unit, state)
      if (unit === undefined || next === undefined) continue
      this.#isDone[index] = true
      this.order.push(unit)
      if (this.order.length > this.longest.length) this.longest = [...this.order]
      if (this.extend(next)) return true
      this.order.pop()
      this.#isDone[index] = false
    }
    if (key !== undefined) this.#deadEnds.add(key)
    return false
  }

  /** Those that nothing which is still to come was answered before. */
  #candidates(): number[] {
    let earliestAnswer = Number.POSITIVE_INFINITY
    for (const [index, unit] of this.#units.entries()) {
      if (!this.#isDone[index]) earliestAnswer = Math.min(earliestAnswer, unit.answeredAt)
    }
    const found: number[] = []
    for (const [index, unit] of this.#units.entries()) {
      if (unit.askedAt > earliestAnswer) break
      if (!this.#isDone[index]) found.push(index)
    }
    return found
  }
}

/** @returns the state after the unit; undefined: it would have been answered otherwise */
function explained(unit: Unit, state: Model): Model | undefined {
  const next = state.copy()
  for (const step of unit.steps) {
    if (next.apply(unit.who, step) !== step.answer) return undefined
  }
  return next
}
