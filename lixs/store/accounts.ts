/** What the store holds, what domains use of it, and whether what was counted is true. */
import { DOM0, type Domid } from '../../native/hypervisor.ts'
import { type CheckResult, checkStore } from './check.ts'
import type { RowTable } from './row-table.ts'
import type { StoreTables } from './tables.ts'
import type { Transactions } from './transactions.ts'

const BLOCK_BYTES = 16

/** What one domain uses of what the quotas limit. */
export interface DomainUsage {
  readonly nodes: number
  readonly watches: number
  readonly transactions: number
  readonly memoryBytes: number
}

/** How much of each kind the store holds. */
export interface StoreFigures {
  /** Existing nodes and ghosts, the special ones and the hidden root included. */
  readonly nodes: number
  readonly watches: number
  readonly transactions: number
  readonly accessRecords: number
  readonly permLists: number
  /** Blocks of the arena: names, values, tokens, lists. */
  readonly blocks: number
}

/** How much memory a table of the store takes. */
export interface TableUse {
  readonly name: string
  readonly inUse: number
  readonly everUsed: number
  readonly capacity: number
  /** Touched so far; what is free within is used again, not given back. */
  readonly bytes: number
}

/** Figures of a store, all of them kept or counted already, none computed. */
export class Accounts {
  readonly #tables: StoreTables
  readonly #transactions: Transactions

  constructor(tables: StoreTables, transactions: Transactions) {
    this.#tables = tables
    this.#transactions = transactions
  }

  /** What a domain uses now. */
  usageOf(domid: Domid): DomainUsage {
    const { domains } = this.#tables
    return {
      nodes: domains.nodesOf(domid),
      watches: domains.watchesOf(domid),
      transactions: domains.transactionsOf(domid),
      memoryBytes: domains.chargedTo(domid),
    }
  }

  /** The most that a domain has used. @param domid undefined: any guest, those that are gone included */
  maximaOf(domid: Domid | undefined): DomainUsage {
    const { maxima } = this.#tables.domains
    return domid === undefined ? maxima.ofAnyGuest() : maxima.of(domid)
  }

  /** Begins to look for the most anew: what is used now is all that was. */
  resetMaxima(): void {
    const { domains } = this.#tables
    domains.maxima.forget([DOM0, ...domains.known()])
    for (const domid of [DOM0, ...domains.known()]) domains.noteMaxima(domid)
  }

  /** What there is now. */
  held(): StoreFigures {
    const { nodes, watches, perms, arena } = this.#tables
    const { count, records } = this.#transactions
    return {
      nodes: nodes.inUse,
      watches: watches.count,
      transactions: count,
      accessRecords: records.count,
      permLists: perms.lists,
      blocks: arena.blocks,
    }
  }

  /** The tables that grow with what is stored. */
  tableUses(): readonly TableUse[] {
    const { nodes, watches, perms, arena } = this.#tables
    const { rows, records } = this.#transactions
    return [
      useOf('nodes', nodes.rows),
      useOf('watches', watches.rows),
      useOf('permission lists', perms.rows),
      useOf('transactions', rows),
      useOf('access records', records.rows),
      {
        name: 'blocks of bytes',
        inUse: arena.blocks,
        everUsed: arena.places,
        capacity: arena.bytes.length / BLOCK_BYTES,
        bytes: arena.places * BLOCK_BYTES,
      },
    ]
  }

  /** Is everything in order? Costs as much as there is; see check.ts. */
  check(): CheckResult {
    return checkStore(this.#tables, this.#transactions)
  }
}

function useOf(name: string, rows: RowTable): TableUse {
  return {
    name,
    inUse: rows.inUse,
    everUsed: rows.highest,
    capacity: rows.capacity,
    bytes: rows.touchedBytes,
  }
}
