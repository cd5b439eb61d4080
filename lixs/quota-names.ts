/** The quotas by the names that upstream's tools, options and requests use. */
import type { Quotas } from './store/quota.ts'

/** One quota as it is named outside, and where its value is kept. */
export interface QuotaName {
  readonly name: string
  readonly key: keyof Quotas
  readonly help: string
}

/** What is refused beyond. */
export const HARD_QUOTAS: readonly QuotaName[] = [
  { name: 'nodes', key: 'nodes', help: 'Nodes per domain' },
  { name: 'watches', key: 'watches', help: 'Watches per domain' },
  { name: 'transactions', key: 'transactions', help: 'Transactions per domain' },
  { name: 'outstanding', key: 'outstanding', help: 'Outstanding requests per domain' },
  { name: 'transaction-nodes', key: 'transactionNodes', help: 'Nodes per transaction' },
  { name: 'memory', key: 'memoryHard', help: 'Memory in bytes per domain' },
  { name: 'node-size', key: 'nodeSize', help: 'Size in bytes of a node' },
  { name: 'node-permissions', key: 'permissions', help: 'Permissions per node' },
  { name: 'path-max', key: 'pathMax', help: 'Length of a path' },
]

/** What is only warned of. */
export const SOFT_QUOTAS: readonly QuotaName[] = [
  { name: 'memory', key: 'memorySoft', help: 'Memory in bytes per domain that is warned of' },
]
