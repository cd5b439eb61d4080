/**
 * How much an unprivileged domain may use. Usage is counted in DomainRecords as it changes and never
 * recomputed.
 *
 * @see tools/xenstored/domain.c, quota names of `xenstored -Q`
 */
import { DOM0 } from '../../native/hypervisor.ts'
import { LIMIT } from './domain-limits.ts'
import type { DomainRecords } from './domains.ts'
import type { Principal } from './principal.ts'
import type { ValueArena } from './value-arena.ts'

/**
 * The limits; 0 = unlimited, below 2^32. A domain has a copy of its own from the moment the store
 * knows it (domain-limits.ts).
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

/** Longer than this no guest's path may be, whatever the quota says (XENSTORE_REL_PATH_MAX). */
const PATH_MAX = 2048
/** What the node-size quota counts beside permissions, value and names (XenStore's node header). */
const NODE_HEADER_BYTES = 24
const PERM_BYTES = 8

/**
 * Rows of the node table that a domain may keep for nodes that do not exist, which watches and
 * transactions wait for, per node that it may own.
 */
const GHOSTS_PER_NODE = 4

/** The checks, all of them true for a privileged principal. */
export class QuotaCheck {
  readonly #domains: DomainRecords
  readonly #arena: ValueArena

  constructor(domains: DomainRecords, arena: ValueArena) {
    this.#domains = domains
    this.#arena = arena
  }

  /** May `who` own this many nodes more? */
  allowsNodes(who: Principal, more: number): boolean {
    if (who.isPrivileged) return true
    return !exceeds(this.#domains.nodesOf(who.domid) + more, this.#limitOf(who.domid, LIMIT.nodes))
  }

  /** May `who` have this many more rows for nodes that do not exist? */
  allowsGhosts(who: Principal, more: number): boolean {
    if (who.isPrivileged) return true
    const limit = this.#limitOf(who.domid, LIMIT.nodes) * GHOSTS_PER_NODE
    return !exceeds(this.#domains.ghostsOf(who.domid) + more, limit)
  }

  /**
   * May `who` make the domain that is charged use this many bytes more? dom0's are not limited, as
   * long as there is room for unprivileged domains at all.
   */
  allowsMemory(who: Principal, charged: number, more: number): boolean {
    if (who.isPrivileged || more <= 0) return true
    if (!this.#arena.hasRoomFor(who)) return false
    if (charged === DOM0) return true
    return this.#domains.hasMemoryFor(charged, more)
  }

  allowsNodeSize(who: Principal, perms: number, valueBytes: number, childBytes: number): boolean {
    if (who.isPrivileged) return true
    const size = NODE_HEADER_BYTES + PERM_BYTES * perms + valueBytes + childBytes
    // Unlike others this limit itself is too much already, in every version.
    return !exceeds(size + 1, this.#limitOf(who.domid, LIMIT.nodeSize))
  }

  allowsPermissions(who: Principal, count: number): boolean {
    return who.isPrivileged || !exceeds(count, this.#limitOf(who.domid, LIMIT.permissions))
  }

  allowsWatch(who: Principal): boolean {
    if (who.isPrivileged) return true
    return !exceeds(this.#domains.watchesOf(who.domid) + 1, this.#limitOf(who.domid, LIMIT.watches))
  }

  allowsTransaction(who: Principal): boolean {
    if (who.isPrivileged) return true
    return !exceeds(
      this.#domains.transactionsOf(who.domid) + 1,
      this.#limitOf(who.domid, LIMIT.transactions),
    )
  }

  allowsTransactionNodes(who: Principal, count: number): boolean {
    return who.isPrivileged || !exceeds(count, this.#limitOf(who.domid, LIMIT.transactionNodes))
  }

  /** Bytes of a path without its home prefix; 0 = any, for the privileged only. */
  pathMaxFor(who: Principal): number {
    if (who.isPrivileged) return 0
    return Math.min(this.#limitOf(who.domid, LIMIT.pathMax) || PATH_MAX, PATH_MAX)
  }

  #limitOf(domid: number, limit: number): number {
    return this.#domains.limits.of(domid, limit)
  }
}

function exceeds(usage: number, limit: number): boolean {
  return limit !== 0 && usage > limit
}
