/** Which rules a run breaks. */
import { CHECKLISTS, type Item, theChecklist } from './conformance-list.ts'
import { CONSOLE_MUTATIONS } from './console-mutations.ts'
import type { Mutation } from './mutation.ts'
import { XENSTORE_MUTATIONS } from './xenstore-mutations.ts'

const [XENSTORE, CONSOLE] = CHECKLISTS
/** The pages; `prefix` tells an item of one from the same number of another: `console:1.3`. */
const PAGES = [
  { page: XENSTORE.page, prefix: '', mutations: XENSTORE_MUTATIONS },
  { page: CONSOLE.page, prefix: 'console:', mutations: CONSOLE_MUTATIONS },
] as const
/** Of those that are drawn, so many are of consoled. */
const CONSOLE_SHARE = 0.3
/** So many of each page may be of native code. */
const NATIVE_MAX = 1

/** One rule, and how it is broken. */
export interface Chosen {
  /** With its page's prefix. */
  readonly id: string
  readonly item: Item
  readonly mutation: Mutation
}

/** What there is to choose from: by page, the items that a mutation is known for. */
export class Choice {
  readonly #byPage: readonly (readonly Chosen[])[]
  /** Items of all pages, with and without a mutation. */
  readonly items: number

  /** @throws Error when a mutation is of no item */
  constructor() {
    const checklists = PAGES.map(({ page }) => theChecklist(page))
    this.items = checklists.flat().length
    this.#byPage = PAGES.map(({ page, prefix, mutations }, i) =>
      mutations.map((mutation) => {
        const item = checklists[i]?.find(({ id }) => id === mutation.item)
        if (item === undefined) throw new Error(`${page} has no ${mutation.item}`)
        return { id: `${prefix}${item.id}`, item, mutation }
      }),
    )
  }

  /** Items with a mutation. */
  get broken(): number {
    return new Set(this.all().map(({ id }) => id)).size
  }

  all(): readonly Chosen[] {
    return this.#byPage.flat()
  }

  /** All mutations of these. @throws Error when there is none of one */
  of(ids: readonly string[]): readonly Chosen[] {
    return ids.flatMap((wanted) => {
      const known = this.all().filter(({ id }) => id === wanted)
      if (known.length === 0) throw new Error(`no mutation of an item ${wanted} is known`)
      return known
    })
  }

  /** So many items, without repeats, each with one of its mutations; the same for the same seed. */
  draw(count: number, seed: number): readonly Chosen[] {
    const random = xorshift(seed)
    const ofConsole = Math.round(count * CONSOLE_SHARE)
    return this.#byPage.flatMap((known, i) =>
      drawFrom(known, i === 0 ? count - ofConsole : ofConsole, random),
    )
  }
}

function drawFrom(known: readonly Chosen[], count: number, random: () => number): Chosen[] {
  const left = [...new Set(known.map(({ id }) => id))]
  const drawn: Chosen[] = []
  let native = 0
  while (drawn.length < count && left.length > 0) {
    const [wanted] = left.splice(random() % left.length, 1)
    const some = known.filter(
      ({ id, mutation }) => id === wanted && (!mutation.isNative || native < NATIVE_MAX),
    )
    const chosen = some[random() % Math.max(1, some.length)]
    if (chosen === undefined) continue
    if (chosen.mutation.isNative) native++
    drawn.push(chosen)
  }
  return drawn
}

/** Numbers from 0 to 2^32, the same for the same seed. */
function xorshift(seed: number): () => number {
  // A state of 0 would stay 0.
  let state = (seed | 0) === 0 ? 1 : seed | 0
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
