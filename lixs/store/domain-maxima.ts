/**
 * The most that each domain has ever used of what is limited, and the most that any guest has. A row
 * per domid; a number is compared where it grows.
 */
import { DOM0, DOMID_FIRST_RESERVED } from '../../native/hypervisor.ts'
import type { StateMemory } from '../../native/os/state-memory.ts'
import { RowTable } from './row-table.ts'

const STRIDE = 8
/** Where each lies in a row; each is a 64-bit number. */
export const MOST = { nodes: 0, watches: 2, transactions: 4, memoryBytes: 6 } as const
type Most = keyof typeof MOST

const FIELDS = Object.values(MOST)
/** The row of all guests together. */
const ANY_GUEST = DOMID_FIRST_RESERVED

export class DomainMaxima {
  readonly #rows: RowTable

  /** @param capacity largest domid + 1 */
  constructor(memory: StateMemory, capacity: number) {
    this.#rows = new RowTable(memory, 'store.domain-maxima', STRIDE, capacity)
  }

  /** A new domain. */
  begin(domid: number): void {
    this.#rows.clear(domid)
  }

  /** A domain now uses so much. @param field one of MOST's */
  note(domid: number, field: number, value: number): void {
    if (value <= this.#rows.getNumber(domid, field)) return
    this.#rows.setNumber(domid, field, value)
    if (domid === DOM0 || value <= this.#rows.getNumber(ANY_GUEST, field)) return
    this.#rows.setNumber(ANY_GUEST, field, value)
  }

  /** Forgets what was; the caller notes what is. */
  forget(domids: Iterable<number>): void {
    this.#rows.clear(ANY_GUEST)
    for (const domid of domids) this.#rows.clear(domid)
  }

  of(domid: number): Record<Most, number> {
    const [nodes = 0, watches = 0, transactions = 0, memoryBytes = 0] = FIELDS.map((field) =>
      this.#rows.getNumber(domid, field),
    )
    return { nodes, watches, transactions, memoryBytes }
  }

  /** Of all guests that there are or were. */
  ofAnyGuest(): Record<Most, number> {
    return this.of(ANY_GUEST)
  }
}
