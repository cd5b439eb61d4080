/**
 * What each domain may use: a copy of the quotas as they were when its record was made, with what was
 * set for it since. A row per domid.
 *
 * ```
 * word 0 … 9   the limits, unsigned, in the order of LIMIT
 * word 10      bits of those that were set for this domain alone
 * ```
 *
 * @see docs/misc/xenstore.txt, SET_QUOTA
 */
import type { StateMemory } from '../../native/os/state-memory.ts'
import type { Quotas } from './quota.ts'
import { RowTable } from './row-table.ts'

/** Where each limit lies in a domain's row. */
export const LIMIT = {
  nodes: 0,
  watches: 1,
  transactions: 2,
  nodeSize: 3,
  permissions: 4,
  pathMax: 5,
  transactionNodes: 6,
  memoryHard: 7,
  memorySoft: 8,
  outstanding: 9,
} as const satisfies Record<keyof Quotas, number>

const STRIDE = 12
const OWN = 10
const KEYS = Object.keys(LIMIT) as readonly (keyof Quotas)[]

export class DomainLimits {
  readonly #rows: RowTable
  /** What the next domain gets. */
  readonly #quotas: Quotas

  /** @param domains rows, one for each domid that may own anything */
  constructor(memory: StateMemory, domains: number, quotas: Quotas) {
    this.#rows = new RowTable(memory, 'store.domain-limits', STRIDE, domains)
    this.#quotas = quotas
  }

  /** A new domain: it gets what the quotas are now. */
  begin(domid: number): void {
    for (const key of KEYS) this.#rows.set(domid, LIMIT[key], this.#quotas[key])
    this.#rows.set(domid, OWN, 0)
  }

  /** @param limit one of LIMIT's places @returns 0 = unlimited */
  of(domid: number, limit: number): number {
    return this.#rows.get(domid, limit) >>> 0
  }

  /** For this domain alone, whatever the quotas become. */
  set(domid: number, key: keyof Quotas, value: number): void {
    this.#rows.set(domid, LIMIT[key], value)
    this.#rows.set(domid, OWN, this.#rows.get(domid, OWN) | (1 << LIMIT[key]))
  }

  /** The quota as it is now, unless the domain has a limit of its own. */
  follow(domid: number, key: keyof Quotas): void {
    const isOwn = (this.#rows.get(domid, OWN) & (1 << LIMIT[key])) !== 0
    if (!isOwn) this.#rows.set(domid, LIMIT[key], this.#quotas[key])
  }
}
