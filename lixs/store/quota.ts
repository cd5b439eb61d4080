/**
 * How much an unprivileged domain may use. 0 = unlimited. Usage is counted in DomainRecords as it
 * changes and never recomputed.
 *
 * @see tools/xenstored/domain.c, quota names of `xenstored -Q`
 */
export interface Quotas {
  /** Nodes that the domain owns; ENOSPC. */
  nodes: number
  /** E2BIG. */
  watches: number
  /** Open at once; ENOSPC. */
  transactions: number
  /** Bytes: 24 + 8 per permission + value + names of the children with their NULs; ENOSPC. */
  nodeSize: number
  /** Entries of one permission list; ENOSPC. */
  permissions: number
  /** Bytes of a path without `/local/domain/<domid>/`; EINVAL. */
  pathMax: number
  /** Nodes read or written in one transaction; ENOSPC, and the transaction fails. */
  transactionNodes: number
  /** Bytes of nodes, watches and open transactions; ENOMEM. */
  memoryHard: number
  /** Bytes from which on an operator is warned. */
  memorySoft: number
  /** Requests in work. */
  outstanding: number
}

/** The defaults of the C daemon. */
export const DEFAULT_QUOTAS: Readonly<Quotas> = {
  nodes: 1000,
  watches: 128,
  transactions: 10,
  nodeSize: 2048,
  permissions: 5,
  pathMax: 2048,
  transactionNodes: 1024,
  memoryHard: 2.5 * 2 ** 20,
  memorySoft: 2 * 2 ** 20,
  outstanding: 20,
}

/** Would `usage` be more than `limit` allows? */
export function exceeds(usage: number, limit: number): boolean {
  return limit !== 0 && usage > limit
}
