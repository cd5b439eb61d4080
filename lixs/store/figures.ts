/** What the store holds and what domains use of it: all of it kept or counted already. */
import { DOM0, type Domid } from '../../native/hypervisor.ts'
import type { RowTable } from './row-table.ts'
import type { StoreTables } from './tables.ts'
import type { Transactions } from './transactions.ts'

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

/** What a domain uses now. */
export function usageOf({ domains }: StoreTables, domid: Domid): DomainUsage {
  return {
    nodes: domains.nodesOf(domid),
    watches: domains.watchesOf(domid),
    transactions: domains.transactionsOf(domid),
    memoryBytes: domains.chargedTo(domid),
  }
}

/** What there is now. */
export function figuresOf(tables: StoreTables, transactions: Transactions): StoreFigures {
  const { nodes, watches, perms, arena } = tables
  return {
    nodes: nodes.inUse,
    watches: watches.count,
    transactions: transactions.count,
    accessRecords: transactions.records.count,
    permLists: perms.lists,
    blocks: arena.blocks,
  }
}

/** The tables that grow with what is stored. */
export function tableUsesOf(tables: StoreTables, transactions: Transactions): TableUse[] {
  const { arena } = tables
  const use = (name: string, rows: RowTable): TableUse => ({
    name,
    inUse: rows.inUse,
    everUsed: rows.highest,
    capacity: rows.capacity,
    bytes: rows.touchedBytes,
  })
  return [
    use('nodes', tables.nodes.rows),
    use('watches', tables.watches.rows),
    use('permission lists', tables.perms.rows),
    use('transactions', transactions.rows),
    use('access records', transactions.records.rows),
    {
      name: 'blocks of bytes',
      inUse: arena.blocks,
      everUsed: arena.places,
      capacity: arena.bytes.length / BLOCK_BYTES,
      bytes: arena.places * BLOCK_BYTES,
    },
  ]
}

const BLOCK_BYTES = 16

/** The most that a domain has used. @param domid undefined: any guest, those that are gone included */
export function maximaOf({ domains }: StoreTables, domid: Domid | undefined): DomainUsage {
  return domid === undefined ? domains.maxima.ofAnyGuest() : domains.maxima.of(domid)
}

/** Begins to look for the most anew: what is used now is all that was. */
export function resetMaxima({ domains }: StoreTables): void {
  domains.maxima.forget([DOM0, ...domains.known()])
  for (const domid of [DOM0, ...domains.known()]) domains.noteMaxima(domid)
}
